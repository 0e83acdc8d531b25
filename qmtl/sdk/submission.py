"""Submitting: build, send, take the assignments, replay history as a world's data has it, report, ask.

The world decides; this only computes and reports. Submitting what is already live attaches to the strategy
that is, and says so. Nothing here can choose a mode.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import AlreadyExists, InvalidRequest, NotFound, NotReady, QmtlError
from qmtl.core.identity import digest
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as dataservicepb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as gatewayservicepb
from qmtl.rpc.streams import scoped
from qmtl.sdk.backtest import AccountTerms, replay
from qmtl.sdk.bars import Bars, to_ns
from qmtl.sdk.client import Client, Gateway, Line, open_client
from qmtl.sdk.execution import asked_terms, model_of
from qmtl.sdk.reuse import Reuse
from qmtl.sdk.strategy import Assembled, Strategy, assemble
from qmtl.sdk.submitted import SubmitResult
from qmtl.sdk.wire import bars_from_arrow, graph_to_proto, nanoseconds, stamp
from qmtl.sdk.words import NS_PER_S, refused
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb

CROSS_CONTEXT_HITS = "cross_context_cache_hits"
T = TypeVar("T")
_FINAL = frozenset(
    {
        controlpb.STRATEGY_STATE_COMPLETED,
        controlpb.STRATEGY_STATE_FAILED,
        controlpb.STRATEGY_STATE_CANCELED,
    }
)


@dataclass(frozen=True, slots=True)
class History:
    """Which stretch of the data is evaluated: bars that open in [start, end); None is as far as the data goes."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A strategy that lives in a world: the owner's record of it, and whether it was there before."""

    strategy: gatewaypb.Strategy
    outcome: gatewaypb.WorldOutcome
    attached: bool


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Bars and exactly what the owner of the data says they are."""

    bars: Bars
    metadata: datapb.FetchMetadata


class Submitter:
    """One submission to one world."""

    def __init__(self, line: Line, world: str) -> None:
        self.line = line
        self.client = line.client
        self.world = world

    async def submit(
        self, assembled: Assembled, data: str | None, history: History, terms: AccountTerms | None
    ) -> SubmitResult:
        """The whole of it: bind, fetch, replay, report, and what the world says then."""
        preset = await self.preset(assembled, data)
        bound = await self.bind(assembled)
        fetched = await self.fetch(preset, history_request(preset, bound.outcome.context, history))
        reuse = Reuse(self.line, bound.strategy, self.world, queue_keys(bound))
        outputs = await reuse.outputs(assembled.dag, fetched.bars)
        terms = asked_terms(terms, (await self.decision()).execution_model)
        done = await asyncio.to_thread(partial(replay, assembled, fetched.bars, terms, outputs=outputs))
        metrics = {**done.metrics, CROSS_CONTEXT_HITS: reuse.told.crossed}
        run = await self.evaluate(bound, fetched, metrics, model_of(terms)) if done.metrics else None
        return SubmitResult(
            name=assembled.name,
            strategy=bound.strategy,
            outcome=bound.outcome,
            attached=bound.attached,
            warmup_bars=assembled.dag.warmup_bars,
            data=fetched.metadata,
            replay=done,
            bars=fetched.bars,
            evaluation=run,
            decision=await self.decision(),
            activation=await self.activation(),
            address=self.client.address,
            reused=reuse.told,
        )

    async def bind(self, assembled: Assembled) -> Bound:
        """Submit and wait until it is bound. Raises NotReady (E_SUBMISSION_FAILED) with the reason."""
        request = submission(assembled, self.world)
        try:
            reply = await self.line.ask(lambda: self.client.gateway.SubmitStrategy(request), "submit")
        except AlreadyExists as known:
            strategy_id = known.metadata.get("strategy_id", "")
            if known.reason != "E_DUPLICATE" or not strategy_id:
                raise
            return self._bound(await self._settled(strategy_id), attached=True)
        strategy = reply.strategy
        if strategy.state not in _FINAL:
            strategy = await self._settled(strategy.strategy_id)
        return self._bound(strategy, attached=False)

    async def preset(self, assembled: Assembled, data: str | None) -> datapb.Preset:
        """The data preset of the run: the one named, else the world's first.

        Raises NotFound (E_PRESET_UNKNOWN, E_DATA_MISSING), NotReady (E_DATASET_UNAVAILABLE).
        """
        name = data or await self._world_preset()
        reply = await self.line.ask(lambda: self.client.data.ListPresets(dataservicepb.ListPresetsRequest()), "presets")
        found = next((preset for preset in reply.presets if name in (preset.name, preset.dataset)), None)
        if found is None:
            known = ", ".join(preset.name for preset in reply.presets)
            raise NotFound("E_PRESET_UNKNOWN", f"no data preset {name!r}", hint=f"one of {known}")
        if not found.available:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{found.name}: {found.detail}")
        check_sources(assembled, found)
        return found

    async def fetch(self, preset: datapb.Preset, request: dataservicepb.FetchRequest) -> Fetched:
        """Rows of a preset through the gateway, as Arrow."""
        parts, metadata = await self.line.ask(lambda: _fetch(self.client, request), "fetch")
        return Fetched(bars_from_arrow(parts, preset.symbol, preset.interval_s), metadata)

    async def evaluate(
        self, bound: Bound, data: Fetched, metrics: dict[str, float], assumed: worldpb.ExecutionModel
    ) -> evaluationpb.EvaluationRun:
        """Report the replay's metrics and what it assumed of execution; the world's evaluation of them."""
        request = evaluation(self.world, bound.strategy.strategy_id, data, metrics)
        request.execution_model.CopyFrom(assumed)
        return await self._evaluate(request)

    async def _evaluate(self, request: worldservicepb.EvaluateRequest) -> evaluationpb.EvaluationRun:
        """A mesh older than the count of cross-context hits is told without it; a policy that asks for it is newer."""
        try:
            return (await self.line.ask(lambda: self.client.world.Evaluate(request), "evaluate")).run
        except InvalidRequest as error:
            unknown = [violation.value for violation in error.violations]
            if error.reason != "E_METRIC_UNKNOWN" or unknown != [CROSS_CONTEXT_HITS]:
                raise
        known = [metric for metric in request.metrics if metric.name != CROSS_CONTEXT_HITS]
        del request.metrics[:]
        request.metrics.extend(known)
        return (await self.line.ask(lambda: self.client.world.Evaluate(request), "evaluate")).run

    async def evaluate_paper(
        self, session: worldpb.Session, strategy_id: str, bars: Bars, metrics: dict[str, float]
    ) -> evaluationpb.EvaluationRun | None:
        """Report what a paper session came to; None when there is nothing to say, or the strategy was unbound."""
        if not metrics:
            return None
        request = paper_evaluation(session, strategy_id, bars, {**metrics, CROSS_CONTEXT_HITS: 0})  # it reads no queue
        try:
            return await self._evaluate(request)
        except NotFound as error:
            if error.reason != "E_BINDING_UNKNOWN":
                raise
            return None

    async def decision(self) -> worldpb.DecisionEnvelope:
        """What the world may do now."""
        request = worldservicepb.DecideRequest(world_id=self.world)
        return (await self.line.ask(lambda: self.client.world.Decide(request), "decide")).decision

    async def activation(self) -> worldpb.ActivationEnvelope:
        """The world's activation now."""
        request = worldservicepb.GetActivationRequest(world_id=self.world)
        return (await self.line.ask(lambda: self.client.world.GetActivation(request), "activation")).activation

    async def _settled(self, strategy_id: str) -> gatewaypb.Strategy:
        request = gatewayservicepb.WatchStrategyRequest(strategy_id=strategy_id)
        while True:
            try:
                with scoped(self.client.gateway.WatchStrategy(request)) as changes:
                    async for change in changes:
                        self.line.patience.answered()
                        if change.strategy.state in _FINAL:
                            return change.strategy
            except QmtlError as error:
                await self.line.patience.failed(error, "watch")

    def _bound(self, strategy: gatewaypb.Strategy, *, attached: bool) -> Bound:
        outcome = next((item for item in strategy.outcomes if item.world_id == self.world), None)
        if strategy.state != controlpb.STRATEGY_STATE_COMPLETED or outcome is None:
            name = controlpb.StrategyState.Name(strategy.state).removeprefix("STRATEGY_STATE_")
            reason = strategy.reason or "no reason given"
            raise NotReady(
                "E_SUBMISSION_FAILED",
                f"strategy {strategy.strategy_id} is {name} in world {self.world}: {reason}",
                metadata={"strategy_id": strategy.strategy_id},
            )
        return Bound(strategy, outcome, attached)

    async def _world_preset(self) -> str:
        request = worldservicepb.GetWorldRequest(world_id=self.world)
        presets = (await self.line.ask(lambda: self.client.world.GetWorld(request), "world")).world.data_presets
        if not presets:
            raise refused("E_DATA_MISSING", "data", f"none, and world {self.world} names no preset", "a data preset")
        return presets[0]


async def submit(
    strategy: Strategy,
    *,
    world: str,
    data: str | None = None,
    history: History | None = None,
    terms: AccountTerms | None = None,
    gateway: Gateway | None = None,
) -> SubmitResult:
    """Submit a strategy to a world and replay its data; see Runner.submit."""
    assembled, gateway = assemble(strategy), gateway or Gateway()
    async with open_client(gateway) as client:
        submitter = Submitter(Line.open(client, gateway.patience_s, SystemClock()), world)
        return await submitter.submit(assembled, data, history or History(), terms)


def submission(assembled: Assembled, world: str) -> gatewayservicepb.SubmitStrategyRequest:
    """The request of a new submission; sent again with the same request_id it is the same submission."""
    return gatewayservicepb.SubmitStrategyRequest(
        request_id=str(uuid.uuid4()),
        meta=gatewaypb.StrategyMeta(name=assembled.name, client=f"python/{importlib.metadata.version('qmtl')}"),
        dag=graph_to_proto(assembled.dag),
        node_ids_crc32=assembled.dag.crc32,
        world_ids=[world],
    )


def queue_keys(bound: Bound) -> dict[str, str]:
    """The ComputeKey of each node's queue, by NodeID."""
    return {item.node_id: item.compute_key for item in bound.outcome.assignments if item.compute_key}


def check_sources(assembled: Assembled, preset: datapb.Preset) -> None:
    """Every source of a connected run reads the one preset. Raises NotFound (E_DATA_MISSING)."""
    for source in assembled.dag.sources:
        if (source.symbol, source.interval_s) != (preset.symbol, preset.interval_s):
            raise NotFound(
                "E_DATA_MISSING",
                f"{source.symbol} at {source.interval_s}s is not what {preset.name} has: "
                f"{preset.symbol} at {preset.interval_s}s",
                hint="name a preset with the strategy's symbol and interval",
            )


def history_request(
    preset: datapb.Preset, context: commonpb.ComputeContext, span: History
) -> dataservicepb.FetchRequest:
    """History of an evaluation: at the pinned snapshot if the world's context has one, else the newest sealed."""
    pinned = context.execution_domain == commonpb.EXECUTION_DOMAIN_BACKTEST and context.HasField("as_of")
    return dataservicepb.FetchRequest(
        dataset=preset.name,
        range=commonpb.TimeRange(
            start=stamp(to_ns(span.start)) if span.start else None, end=stamp(to_ns(span.end)) if span.end else None
        ),
        context=context if pinned else None,
    )


def evaluation(
    world: str, strategy_id: str, data: Fetched, metrics: dict[str, float]
) -> worldservicepb.EvaluateRequest:
    """The report of one replay; the same data of the same strategy is the same run."""
    delivered = data.metadata.delivered
    fingerprint = data.metadata.dataset_fingerprint
    return worldservicepb.EvaluateRequest(
        world_id=world,
        strategy_id=strategy_id,
        run_id=f"backtest-{fingerprint.rpartition(':')[2][:16]}-{nanoseconds(delivered.end) // 1_000_000_000}",
        stage=worldpb.STAGE_BACKTEST,
        metrics=[evaluationpb.Metric(name=name, value=value) for name, value in sorted(metrics.items())],
        dataset_fingerprint=fingerprint,
        data_start=delivered.start,
        data_end=delivered.end,
        coverage=data.metadata.coverage_ratio,
    )


def paper_evaluation(
    session: worldpb.Session, strategy_id: str, bars: Bars, metrics: dict[str, float]
) -> worldservicepb.EvaluateRequest:
    """The report of one paper session as far as it was played; the same stretch of it is the same run."""
    end_ns = int(bars.close_ns[-1])
    expected = (end_ns - nanoseconds(session.start)) // (bars.interval_s * NS_PER_S)
    name = digest(session.session_id.encode()).removeprefix("blake3:")[:16]
    return worldservicepb.EvaluateRequest(
        world_id=session.world_id,
        strategy_id=strategy_id,
        run_id=f"paper-{name}-{end_ns // NS_PER_S}",
        stage=worldpb.STAGE_PAPER,
        metrics=[evaluationpb.Metric(name=name, value=value) for name, value in sorted(metrics.items())],
        dataset_fingerprint=session.dataset_fingerprint,
        data_start=session.start,
        data_end=stamp(end_ns),
        coverage=min(1.0, len(bars) / expected) if expected > 0 else 0.0,
    )


async def _fetch(client: Client, request: dataservicepb.FetchRequest) -> tuple[Sequence[bytes], datapb.FetchMetadata]:
    parts: list[bytes] = []
    metadata: datapb.FetchMetadata | None = None
    with scoped(client.data.Fetch(request)) as replies:
        async for reply in replies:
            if reply.WhichOneof("part") == "metadata":
                metadata = reply.metadata
            else:
                parts.append(reply.arrow_ipc)
    if metadata is None:
        raise NotReady("E_FETCH_CUT", f"fetch of {request.dataset} ended without saying what it delivered")
    return parts, metadata
