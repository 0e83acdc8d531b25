"""Makes a divergence report: asks brokerage for both sides, compares them, and stores what that says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import NotFound, refused
from qmtl.core.instants import timestamp_text
from qmtl.core.modes import ExecutionDomain, orders_allowed
from qmtl.core.roles import Role
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.streams import scoped
from qmtl.wire.instants import instant_from_proto, instant_to_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.domain.divergence.report import Evidence, report_of
from worldservice.campaigns.domain.divergence.verdict import Ground
from worldservice.campaigns.domain.phases import Phase
from worldservice.campaigns.reports import store
from worldservice.campaigns.reports.sides import Told, Window, bar_of, marks_of, sides_of, unlike
from worldservice.campaigns.reports.weights import traded_at
from worldservice.campaigns.reports.wire import Source, features_from_proto, head_of, report_to_proto, unexplained
from worldservice.campaigns.store import find_campaign
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.replay import store as replays
from worldservice.evaluation.replay.numbers import Replayed
from worldservice.evaluation.replay.pending import REPLAY_TIMEOUT
from worldservice.evaluation.replay.request import replay_request
from worldservice.evaluation.wire import account_to_proto
from worldservice.graph.store.edges import version_of
from worldservice.policy.domain.campaign.terms import CampaignTerms, no_campaign
from worldservice.policy.domain.evidence import terms_in_words
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import compiled, get_policy, policy_of
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, draft, world_to_read, world_to_write
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.session import Session
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import sessions
from worldservice.worlds.store.bindings import get_active_binding
from worldservice.worlds.store.worlds import get_world
from worldservice.worlds.wire import domain_from_proto
from worldservice.worlds.writes import Writes

JUDGED_MAX = 100
"""How many of the newest reports a new one is compared with."""


@dataclass(frozen=True, slots=True)
class _Basis:
    """What is stored of what a report is made from."""

    request: replaypb.OrderReplay
    session: Session
    capital: str
    terms: CampaignTerms
    model_text: str
    policy_version: int
    version: str
    live_version: str
    unequal: tuple[str, ...]
    asked_start: datetime | None
    weight: Decimal

    @property
    def window(self) -> Window:
        """From the session's start, or where it is said, to the end of the list, which may begin sooner: its recording
        begins with a bar.

        Raises InvalidRequest (E_DIVERGENCE_WINDOW): the list begins later, or the window not in the session.
        """
        span, since = self.request.range, self.session.start
        start = instant_from_proto(span.start, "range.start")
        if start > since:
            want = f"{since.isoformat()} at most, the start of session {self.session.session_id}"
            raise refused("E_DIVERGENCE_WINDOW", "order_list.range.start", start.isoformat(), want)
        end = instant_from_proto(span.end, "range.end")
        asked = since if self.asked_start is None else self.asked_start
        if not since <= asked < end:
            want = f"in session {self.session.session_id}, {since.isoformat()} to {end.isoformat()}"
            raise refused("E_DIVERGENCE_WINDOW", "start", asked.isoformat(), want)
        cash = self.request.account_model.starting_cash
        return Window(since, asked, end, self.weight, parse_decimal(cash, "starting_cash") if cash else Decimal(0))

    @property
    def replay(self) -> replaypb.OrderReplay:
        """The list over the window. Raises InvalidRequest (E_DIVERGENCE_WINDOW)."""
        asked = replaypb.OrderReplay()
        asked.CopyFrom(self.request)
        asked.range.start.CopyFrom(instant_to_proto(self.window.since))
        if self.window.opens_later:
            asked.opening_at.CopyFrom(instant_to_proto(self.window.start))
        return asked


@dataclass(frozen=True, slots=True)
class ReportMaker:
    """Nothing is stored unless both sides answered whole."""

    writes: Writes
    brokerage: replayrpc.ReplayServiceAsyncStub

    async def made(self, act: Act, source: Source) -> divergencepb.DivergenceReport:
        """The report on a list, as stored. Raises what CreateDivergenceReport tells."""

        def read(conn: Connection) -> _Basis:
            world = world_to_read(conn, act.caller, source.world_id, Role.OPERATOR)
            get_active_binding(conn, world.world_id, source.strategy_id)
            return _basis(conn, world, source, policy_of(conn, world), world.default_policy_version)

        report = await self._compared(source, await self.writes.db.read(read))
        now = self._now(act)
        stored = await self.writes.db.write(lambda conn: _stored(conn, now, report))
        if instant_from_proto(stored.created_at, "created_at") == now.now:  # and no earlier one
            self._count(stored)
        return stored

    def _count(self, report: divergencepb.DivergenceReport) -> None:
        metrics, terms = self.writes.metrics, report.terms
        metrics.campaign_actions.labels("CREATE_REPORT").inc()
        word = divergencepb.DivergenceVerdict.Name(report.verdict).removeprefix("DIVERGENCE_VERDICT_")
        metrics.divergence_verdicts.labels(word).inc()
        if report.HasField("terms"):
            metrics.divergence_residual.set(float(unexplained(terms)))

    def _now(self, act: Act) -> Act:
        """The act as of when its report is stored, which may be minutes after it was asked for: what was read as of a
        time between has the same rows later.
        """
        return replace(act, now=self.writes.clock.now())

    async def again(self, report: divergencepb.DivergenceReport) -> divergencepb.DivergenceReport:
        """What a stored report comes to now, under its version of the policy and on what stood when it was made: nodes
        and weights, which have no record of their own. Nothing is stored.
        """
        source = Source(
            report.world_id,
            report.strategy_id,
            report.order_list,
            report.account,
            report.session_id,
            features=features_from_proto(report.features),
            capital=report.capital,
            start=instant_from_proto(report.start, "start"),
        )

        def read(conn: Connection) -> _Basis:
            policy = compiled(get_policy(conn, source.world_id, report.policy_version).document)
            found = _basis(conn, get_world(conn, source.world_id), source, policy, report.policy_version)
            return replace(
                found,
                version=report.replay_version,
                live_version=report.strategy_version,
                unequal=tuple(report.unequal),
                weight=parse_decimal(report.weight or "1", "weight"),
            )

        return await self._compared(source, await self.writes.db.read(read))

    async def _compared(self, source: Source, basis: _Basis) -> divergencepb.DivergenceReport:
        """Asks brokerage for both sides, and compares them."""
        live, orders = await self._live(source, basis, basis.window)
        told = Told(live, orders, await self._replayed(source, basis), basis.request.orders)
        return await asyncio.to_thread(_compared, basis, told, source)

    async def _live(self, source: Source, basis: _Basis, window: Window) -> tuple[Replayed, list[replaypb.BookedOrder]]:
        request = replayservicepb.ReplayBooksRequest(
            world_id=source.world_id,
            strategy_id=source.strategy_id,
            account=source.account,
            data_session_id=source.session_id,
            start=instant_to_proto(window.since),
            end=instant_to_proto(window.end),
            account_model=basis.request.account_model,
            own_terms=True,
            opening_at=instant_to_proto(window.start) if window.opens_later else None,
        )
        found, orders = Replayed(), list[replaypb.BookedOrder]()
        with scoped(self.brokerage.ReplayBooks(request, timeout=REPLAY_TIMEOUT.total_seconds())) as replies:
            async for reply in replies:
                orders += reply.orders
                if reply.HasField("part"):
                    found.take(reply.part)
        found.whole()
        return found, orders

    async def _replayed(self, source: Source, basis: _Basis) -> Replayed:
        found = Replayed()
        chunks = Chunked(replayservicepb.ReplayOrdersRequest, basis.replay, [source.world_id])
        with scoped(self.brokerage.ReplayOrders(chunks, timeout=REPLAY_TIMEOUT.total_seconds())) as parts:
            async for part in parts:
                found.take(part)
        found.whole()
        return found


def _basis(conn: Connection, world: World, source: Source, policy: Policy | None, policy_version: int) -> _Basis:
    name = source.strategy_id
    if policy is None or policy.campaign is None:
        raise no_campaign(world.world_id)
    body = replays.get_list(conn, world.world_id, name, source.order_list)
    session = sessions.get_session(conn, source.session_id)
    if session.world_id != world.world_id or not orders_allowed(session.domain):
        text = f"session {session.session_id} is no paper or live session of world {world.world_id}"
        raise NotFound("E_SESSION_UNKNOWN", text, hint="name the session that the account trades on")
    execution = policy.gating.execution
    model = account_to_proto(policy.account, execution) or accountpb.AccountModel()
    live = session.domain is ExecutionDomain.LIVE
    if live:
        model.starting_cash = _capital(source.capital or model.starting_cash)
    elif source.capital:
        raise refused("E_FIELD", "capital", source.capital, "none: a paper account has its own")
    version = version_of(conn, world.world_id, name)
    start = session.start if source.start is None else source.start
    request = replay_request(body, model)
    traded = traded_at(conn, world, name, start, instant_from_proto(request.range.end, "range.end"))
    weight, unequal = traded.weight, traded.unequal
    if weight != 1 and not model.starting_cash:
        unequal = (f"the strategy trades at weight {weight}, and the policy states no account to scale the replay in",)
    canary = _canary_end(conn, world, name) if live else None
    if canary is not None and canary > start:
        unequal += (
            f"the strategy traded at canary shares until {timestamp_text(canary)}: begin the window then or later",
        )
    comparable = max(at for at in (session.start, traded.since, canary) if at is not None)
    unequal += tuple(_cut_short(start, comparable, request, policy.campaign))
    return _Basis(
        request=request,
        session=session,
        capital=model.starting_cash if live else "",
        terms=policy.campaign,
        model_text=terms_in_words(policy.account.text(execution)),
        policy_version=policy_version,
        version=version,
        live_version=_live_version(conn, source, session, Stage.LIVE if live else Stage.PAPER),
        unequal=unequal,
        asked_start=source.start,
        weight=weight,
    )


def _capital(written: str) -> str:
    """Raises InvalidRequest (E_DECIMAL, E_FIELD)."""
    if (capital := parse_decimal(written, "capital")) <= 0:
        raise refused("E_FIELD", "capital", written, "more than 0")
    return format_decimal(capital)


def _live_version(conn: Connection, source: Source, session: Session, stage: Stage) -> str:
    """Of the nodes that the session's newest evaluation found bound; of a session without one, that of the run before
    it was opened. Empty: nobody knows.
    """
    world_id, strategy_id = source.world_id, source.strategy_id
    runs = evaluation_store.runs_of_stage(conn, world_id, strategy_id, stage)
    mine = [run for run in runs if run.evidence.session_id == source.session_id]
    known = mine or evaluation_store.runs_until(conn, world_id, strategy_id, session.opened_at)[-1:]
    return next((run.evidence.strategy_version for run in known), "")


def _canary_end(conn: Connection, world: World, strategy_id: str) -> datetime | None:
    """When its last canary ended: orders before are parts of those of the replay, whatever the weight is now."""
    campaign = find_campaign(conn, world.world_id, strategy_id)
    had_one = campaign.phase is Phase.LIVE_FULL and campaign.since != campaign.live_since
    return campaign.since if had_one else None


def _cut_short(
    start: datetime, comparable: datetime, request: replaypb.OrderReplay, terms: CampaignTerms
) -> Iterator[str]:
    """Whoever chooses a short window could leave bad days out: it has the policy's length, or begins within a day of
    what can be compared.
    """
    end, want = instant_from_proto(request.range.end, "range.end"), terms.divergence.window
    if start - comparable >= timedelta(days=1) and end - start < want:
        told = f"the window has {(end - start) / timedelta(days=1):.3g} days, want {want / timedelta(days=1):g}"
        yield f"{told}, or a begin within a day of {timestamp_text(comparable)}"


def _compared(basis: _Basis, told: Told, source: Source) -> divergencepb.DivergenceReport:
    window = basis.window
    start, end = window.start, window.end
    live, replay = sides_of(told, window)
    instruments = told.replay.whole().instruments
    lasts = [instant_from_proto(one.last_close, "last_close") for one in instruments if one.HasField("last_close")]
    prints = tuple(basis.request.dataset_fingerprints)
    ground = Ground(
        recording=prints[0] if prints else "",
        coverage=min((one.coverage_ratio for one in instruments), default=0.0),
        live_version=basis.live_version,
        replay_version=basis.version,
        cut=len(lasts) < len(instruments) or min(lasts, default=start) < end,
        unlike=(*unlike(told, window.since, end), *basis.unequal),
    )
    bar, marks = bar_of(told.replay), marks_of(told, window)
    evidence = Evidence(start, end, bar, live, replay, marks, ground, features=source.features)
    whole = replace(source, recordings=prints, execution_model=basis.model_text, policy_version=basis.policy_version)
    whole = replace(whole, capital=basis.capital, domain=basis.session.domain, unequal=basis.unequal)
    whole = replace(whole, weight=basis.weight)
    return report_to_proto(report_of(evidence, basis.terms), whole)


def _stored(conn: Connection, act: Act, report: divergencepb.DivergenceReport) -> divergencepb.DivergenceReport:
    world = world_to_write(conn, act, Role.OPERATOR)
    known = store.find_report(conn, world.world_id, report.strategy_id, report.report_id)
    word = divergencepb.DivergenceVerdict.Name(report.verdict).removeprefix("DIVERGENCE_VERDICT_")
    if known is not None:
        audit_write(conn, act, f"report {report.report_id} of {report.strategy_id} again: {word}")
        return known
    _require_newest_data(conn, report)
    report.created_at.CopyFrom(instant_to_proto(act.now))
    report.created_by = act.actor
    store.append_report(conn, report)
    key = f"{world.world_id}/{report.strategy_id}"
    outbox.append(conn, draft(key, controlpb.DivergenceReported(report=head_of(report)), act))
    audit_write(conn, act, f"report {report.report_id} of {report.strategy_id}: {'; '.join([word, *report.reasons])}")
    return report


def _require_newest_data(conn: Connection, report: divergencepb.DivergenceReport) -> None:
    """What a verdict was made on stays the newest until there is more: a window that ends before a bad day takes it
    from nobody's sight. Raises InvalidRequest (E_DIVERGENCE_WINDOW).
    """
    domain = domain_from_proto(report.execution_domain, "execution_domain")
    end = instant_from_proto(report.end, "end")
    for one in store.newest_of(conn, report.world_id, report.strategy_id, domain, JUDGED_MAX):
        judged = one.verdict != divergencepb.DIVERGENCE_VERDICT_UNKNOWN
        if judged and one.strategy_version == report.strategy_version and end < instant_from_proto(one.end, "end"):
            want = f"{timestamp_text(instant_from_proto(one.end, 'end'))} or later, where report {one.report_id} ends"
            raise refused("E_DIVERGENCE_WINDOW", "order_list.range.end", timestamp_text(end), want)
