"""The client's side of a divergence report: what a strategy decides over the recordings of its session.

What those decisions come to, and what the account came to, brokerage says; nothing of either is told from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.core.instants import to_ns
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.data.v1.data_service_pb2 import FetchMetadata
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.chunks import Chunked
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.history import Fetched
from qmtl.sdk.mesh.recordings import RecordedSession, read_recording
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.opening import account_name, find_live_account
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.mesh.submission.assumptions import world_terms
from qmtl.sdk.mesh.submission.evaluation import order_list
from qmtl.sdk.mesh.wire.graph import graph_digest
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.features import PublishRule
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.stats.drift import POPULATION_BINS, bin_counts, decile_edges
from qmtl.wire.instants import instant_from_proto, instant_to_proto
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb


@dataclass(frozen=True, slots=True)
class TradedRun:
    """Which trading is compared, on paper or live.

    Empty `session_id`: the world's session of that kind; empty `account`: the one that a runner opens for the strategy
    there, live the one that the world may use. `until`: bars that close after it are left out; None: none. `capital`:
    live, what orders were sized by when the session began; None: what the policy's account starts with. `since`: where
    the window begins; `days`: how long before its end, or with a session that began later. Neither: with the session.
    """

    world: str
    strategy_id: str
    session_id: str = ""
    account: str = ""
    until: datetime | None = None
    live: bool = False
    capital: Decimal | None = None
    since: datetime | None = None
    days: int | None = None

    def start_of(self, listed: commonpb.TimeRange) -> datetime | None:
        """Where the window of an order list begins; None: with the session. Raises InvalidRequest (E_FIELD)."""
        if self.days is None:
            return self.since
        if self.since is not None or self.days < 1:
            raise refused("E_FIELD", "days", self.days, "1 or more, or an instant that the window begins at")
        began, end = (instant_from_proto(at, "range") for at in (listed.start, listed.end))
        return max(began, end - timedelta(days=self.days))


async def create_report(gateway: Gateway, strategy: Strategy, run: TradedRun) -> divergencepb.DivergenceReport:
    """Seal what the session was given, replay the strategy over it, and have the world compare.

    Raises InvalidRequest (E_FIELD: the code is of another strategy, capital on paper), NotFound (E_SESSION_UNKNOWN),
    NotReady (E_REPLAY_CUT: no bar of the session can be replayed), and what CreateDivergenceReport does.
    """
    assembled = assemble(strategy)
    async with open_client(gateway) as client:
        retrying = RetryingClient.open(client, gateway.outage_s_max, SystemClock())
        await _require_same(retrying, assembled, run.strategy_id)
        session_id = run.session_id or await _session_of(retrying, run)
        sealed = await _sealed(retrying, session_id)
        asked = evaluationservicepb.DecideRequest(world_id=run.world)
        decision = (await retrying.ask(lambda: client.evaluation.Decide(asked), "decide")).decision
        recorded = await read_recording(gateway, run.world, list(sealed.values()), session_id)
        if run.until is not None:
            recorded = recorded.until(run.until)
        if not any(len(one) for one in recorded.bars):
            raise NotReady("E_REPLAY_CUT", f"session {session_id} was told of no bar yet", hint="ask again after some")
        terms = _terms(run, decision)
        done, outputs = await asyncio.to_thread(recorded.replay_with_outputs, assembled, terms)
        listed = _listed(run, recorded, [sealed[name] for name in recorded.presets], done, assembled)
        chunks = Chunked(evaluationservicepb.PutOrderListRequest, listed, [run.world])
        put = client.evaluation.PutOrderList
        stored = (await retrying.ask(lambda: put(chunks.again()), "order list")).order_list
        request = divergenceservicepb.CreateDivergenceReportRequest(
            world_id=run.world,
            strategy_id=run.strategy_id,
            order_list=stored,
            account=await _account(retrying, run, session_id),
            session_id=session_id,
            capital=format_decimal(terms.cash) if run.live else "",
            features=feature_counts(assembled.published, outputs, to_ns(recorded.start)),
        )
        if (start := run.start_of(listed.range)) is not None:
            request.start.CopyFrom(instant_to_proto(start))
        made = client.divergence.CreateDivergenceReport
        return (await retrying.ask(lambda: made(request), "divergence report")).report


async def _require_same(retrying: RetryingClient, assembled: Assembled, strategy_id: str) -> None:
    """Raises InvalidRequest (E_FIELD): the nodes are not those that were submitted."""
    asked = strategyservicepb.GetStrategyRequest(strategy_id=strategy_id)
    known = (await retrying.ask(lambda: retrying.client.strategies.GetStrategy(asked), "strategy")).strategy
    mine = graph_digest(assembled.dag)
    if known.dag_digest != mine:
        want = f"the code of {strategy_id}, whose graph is {known.dag_digest}"
        raise refused("E_FIELD", "strategy", f"{assembled.name}, whose graph is {mine}", want)


async def _session_of(retrying: RetryingClient, run: TradedRun) -> str:
    """Raises NotFound (E_SESSION_UNKNOWN): the world has no session of the kind, or several."""
    asked = activationservicepb.GetActivationRequest(world_id=run.world)
    told = await retrying.ask(lambda: retrying.client.activation.GetActivation(asked), "activation")
    domain = commonpb.EXECUTION_DOMAIN_LIVE if run.live else commonpb.EXECUTION_DOMAIN_DRYRUN
    found = [one.session_id for one in told.activation.sessions if one.execution_domain == domain]
    if len(found) != 1:
        said = f"world {run.world} has {len(found)} open {'live' if run.live else 'paper'} sessions"
        raise NotFound("E_SESSION_UNKNOWN", said, hint="name the session that the strategy traded on")
    return found[0]


async def _account(retrying: RetryingClient, run: TradedRun, session_id: str) -> str:
    """Raises NotFound (E_ACCOUNT_UNKNOWN), InvalidRequest (E_FIELD): the world may use no live account, or several."""
    if run.account or not run.live:
        return run.account or account_name(run.strategy_id, session_id)
    return (await find_live_account(retrying, run.world, SessionTerms(), {})).account


def _terms(run: TradedRun, decision: decisionpb.DecisionEnvelope) -> AccountTerms:
    """The policy's account; live it begins with the capital that is said, and keeps to what the policy says of a target
    that stood at the promotion. Raises InvalidRequest (E_FIELD).
    """
    terms = world_terms(None, decision)
    if run.live:
        terms = replace(terms, keeps=decision.on_promote == decisionpb.ON_PROMOTE_KEEP)
    if run.capital is None:
        return terms
    if not run.live:
        raise refused("E_FIELD", "capital", run.capital, "none: a paper account has its own")
    return replace(terms, cash=run.capital)


async def _sealed(retrying: RetryingClient, session_id: str) -> dict[str, str]:
    """Fingerprints of what a session was told so far, by preset."""
    asked = datasessionservicepb.SealRecordingRequest(session_id=session_id)
    sealing = retrying.client.data_sessions.SealRecording
    found: list[datasessionspb.Recording] = list((await retrying.ask(lambda: sealing(asked), "recording")).recordings)
    return {one.preset: one.dataset_fingerprint for one in found}


def feature_counts(rules: Sequence[PublishRule], outputs: Outputs, start_ns: int) -> list[divergencepb.FeatureCounts]:
    """Values of published features by the deciles of those known at the session's start: theirs, and those after.

    Raises NotReady (E_WARMUP): a feature has fewer than 10 values before the start or none after it.
    """
    found = []
    for rule in rules:
        series = outputs[rule.node]
        before = int(np.searchsorted(series.time_ns, start_ns, side="right"))
        columns = rule.node.schema.fields if series.rows.shape[1] > 1 else ("",)
        for place, column in enumerate(columns):
            known, seen = (part[np.isfinite(part)] for part in np.split(series.rows[:, place], [before]))
            if len(known) < POPULATION_BINS or not len(seen):
                said = f"feature {rule.factor} has {len(known)} values before the session and {len(seen)} in it"
                raise NotReady("E_WARMUP", said, hint=f"want {POPULATION_BINS} before and 1 in it")
            edges = decile_edges(known)
            counts = (bin_counts(part, edges).astype(int).tolist() for part in (known, seen))
            reference, live = counts
            name = f"{rule.factor}.{column}" if column else rule.factor
            found.append(divergencepb.FeatureCounts(node=name, reference_counts=reference, live_counts=live))
    return found


def _listed(
    run: TradedRun, recorded: RecordedSession, fingerprints: Sequence[str], done: RunResult, assembled: Assembled
) -> evaluationpb.OrderList:
    """The orders of the replay, over the session from its start. Raises NotReady (E_REPLAY_CUT)."""
    played = [(bars, sealed) for bars, sealed in zip(recorded.bars, fingerprints, strict=True) if len(bars)]
    data = Fetched(tuple(bars for bars, _ in played), FetchMetadata(), tuple(sealed for _, sealed in played))
    listed = order_list(run.world, run.strategy_id, data, done, assembled.rules) if len(done.time_ns) else None
    if listed is None:
        said = f"no bar of session {recorded.session_id} has what {assembled.name} trades"
        raise NotReady("E_REPLAY_CUT", said, hint="ask again after some bars")
    listed.range.start.FromDatetime(recorded.start)
    return listed
