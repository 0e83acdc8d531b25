"""Submits a strategy to a world: send, take the assignments, replay the world's history, report, ask what it says.

The world decides; this only computes and reports. Submitting what is already live attaches to the strategy
that is, and says so. Nothing here can choose a mode.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import sys
import uuid
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.order import Owner
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import AlreadyExists, NotFound, NotReady, QmtlError
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.features import bind_published, publish_features, seen_in
from qmtl.sdk.mesh.history import Fetched, History, Market, WorldData, history_request
from qmtl.sdk.mesh.instruments import instrument_of
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.reuse.node_work import ROWS_MAX
from qmtl.sdk.mesh.reuse.shared_nodes import SharedNodes
from qmtl.sdk.mesh.submission.assumptions import model_of, world_terms
from qmtl.sdk.mesh.submission.evaluation import CROSS_CONTEXT_HITS, backtest_report, order_list, session_report
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.wire.graph import graph_to_proto
from qmtl.sdk.repeatability.fresh_processes import check_repeats_beside
from qmtl.sdk.reports.progress import ReplayProgress
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import session_pb2 as sessionpb

T = TypeVar("T")
log = logging.getLogger("qmtl.sdk.mesh.submission")
WITHDRAW_S = 10.0
EVIDENCE_PACE_S = 0.5
_ENDED = frozenset({controlpb.STRATEGY_STATE_FAILED, controlpb.STRATEGY_STATE_CANCELED})
_FINAL = frozenset(
    {
        controlpb.STRATEGY_STATE_COMPLETED,
        controlpb.STRATEGY_STATE_FAILED,
        controlpb.STRATEGY_STATE_CANCELED,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class BoundStrategy:
    """A strategy that lives in a world: the owner's record of it, and whether it was there before."""

    strategy: strategypb.Strategy
    outcome: strategypb.WorldOutcome
    assignments: tuple[diffpb.QueueAssignment, ...]
    attached: bool


class Submitter:
    """One submission to one world."""

    def __init__(self, retrying: RetryingClient, world: str, record_rows_max: int = ROWS_MAX) -> None:
        self.retrying = retrying
        self.client = retrying.client
        self.world = world
        self.data = WorldData(retrying, world)
        self._record_rows_max = record_rows_max

    async def submit(
        self, assembled: Assembled, data: str | None, history: History, terms: AccountTerms | None
    ) -> SubmitResult:
        """Submit a strategy: bind it, fetch the history, replay, report, and return the world's answer.

        What fails or is interrupted after it was bound is withdrawn again, unless it was live before.
        """
        market = await self.data.market(assembled, data)
        instruments = await self.instruments(assembled, terms)
        bound = await self.bind(assembled)
        try:
            return await self._replayed(assembled, bound, market, instruments, history, terms)
        except BaseException as error:
            if not bound.attached:
                await self.withdraw(bound.strategy.strategy_id, error)
            raise

    async def _replayed(
        self,
        assembled: Assembled,
        bound: BoundStrategy,
        market: Market,
        instruments: tuple[Instrument, ...],
        history: History,
        terms: AccountTerms | None,
    ) -> SubmitResult:
        fetched = await self.data.fetch(market, history_request(bound.outcome.context, history))
        await bind_published(self.retrying, seen_in(bound.outcome.context, fetched.metadata.as_of), assembled.dag)
        keys = queue_keys(bound)
        reuse = SharedNodes(self.retrying, bound.strategy, self.world, keys, self._record_rows_max)
        outputs = await reuse.outputs(assembled.dag, fetched.bars)
        terms = replace(world_terms(terms, await self.decision()), instruments=instruments)
        with ReplayProgress(sys.stderr) as told:
            replayed = partial(replay, assembled, fetched.bars, terms, outputs=outputs, on_progress=told)
            done = await asyncio.to_thread(replayed)
        features = await publish_features(self.retrying, bound.outcome.context, assembled.published, outputs, fetched)
        metrics = {**done.metrics, CROSS_CONTEXT_HITS: reuse.counts.foreign_records}
        run = (
            await self.evaluate(bound, fetched, done, metrics, model_of(terms), assembled.rules)
            if done.metrics
            else None
        )
        older = await self._older(bound.strategy)
        return SubmitResult(
            name=assembled.name,
            strategy=bound.strategy,
            outcome=bound.outcome,
            assignments=bound.assignments,
            attached=bound.attached,
            warmup_bars=assembled.dag.warmup_bars,
            data=fetched.metadata,
            replay=done,
            bars=fetched.bars,
            evaluation=run,
            decision=await self.decision(),
            activation=await self.activation(),
            address=self.client.address,
            reused=reuse.counts,
            features=features,
            older=tuple(one.strategy_id for one in older),
        )

    async def instruments(self, assembled: Assembled, terms: AccountTerms | None) -> tuple[Instrument, ...]:
        """Those of the terms, and of what is traded beside them and the library's own table those of the mesh.

        Raises NotFound (E_INSTRUMENT_UNKNOWN), before anything is submitted.
        """
        given = terms.instruments if terms is not None else ()
        known = Instruments(given)
        unknown = sorted({rule.symbol for rule in assembled.rules if known.find(rule.symbol) is None})
        return (*given, *[await instrument_of(self.retrying, symbol) for symbol in unknown])

    async def bind(self, assembled: Assembled) -> BoundStrategy:
        """Submit and wait until it is bound. Raises NotReady (E_SUBMISSION_FAILED) with the reason."""
        asked = submission(assembled, self.world)
        try:
            reply = await self.retrying.ask(lambda: self.client.strategies.SubmitStrategy(in_chunks(asked)), "submit")
        except AlreadyExists as known:
            strategy_id = known.metadata.get("strategy_id", "")
            if known.reason != "E_DUPLICATE" or not strategy_id:
                raise
            return await self._bound(await self._settled(strategy_id), attached=True)
        strategy = reply.strategy
        try:
            if strategy.state not in _FINAL:
                strategy = await self._settled(strategy.strategy_id)
            return await self._bound(strategy, attached=False)
        except BaseException as error:
            if strategy.state not in _ENDED:
                await self.withdraw(strategy.strategy_id, error)
            raise

    async def withdraw(self, strategy_id: str, error: BaseException) -> None:
        """Cancel a strategy whose submission ended, so that it leaves no binding; the error and the log say so."""
        request = strategyservicepb.CancelStrategyRequest(
            strategy_id=strategy_id, message=f"its submission ended: {type(error).__name__}"[:200]
        )
        try:
            async with asyncio.timeout(WITHDRAW_S):
                await self.client.strategies.CancelStrategy(request)
        except (QmtlError, TimeoutError) as failed:
            why = "no answer" if isinstance(failed, TimeoutError) else str(failed)
            told = f"strategy {strategy_id} may still be bound to world {self.world}: {why}; cancel it by its id"
        else:
            told = f"strategy {strategy_id} was withdrawn from world {self.world}"
        error.add_note(told)
        log.warning("%s: %s", type(error).__name__, told)

    async def evaluate(
        self,
        bound: BoundStrategy,
        data: Fetched,
        done: RunResult,
        metrics: dict[str, float],
        assumed: decisionpb.ExecutionModel,
        rules: Iterable[TradeRule | QuoteRule],
    ) -> evaluationpb.EvaluationRun:
        """Send what the replay ordered, and beside it what it came to here; the world's evaluation of its own replay.

        It is PENDING still when no replay could be made for as long as an outage is waited for. Data that is not sealed
        cannot be replayed: then there are claims only.
        """
        strategy_id = bound.strategy.strategy_id
        request = backtest_report(self.world, strategy_id, data, metrics)
        request.execution_model.CopyFrom(assumed)
        listed = order_list(self.world, strategy_id, data, done, rules)
        if listed is not None:
            chunks = Chunked(evaluationservicepb.PutOrderListRequest, listed, [self.world])
            put = self.client.evaluation.PutOrderList
            request.order_list = (await self.retrying.ask(lambda: put(chunks.again()), "order list")).order_list
        return await self._evidenced(await self._evaluate(request))

    async def _evidenced(self, run: evaluationpb.EvaluationRun) -> evaluationpb.EvaluationRun:
        """The run once its replay is settled, or as it waits after the longest outage that is waited for."""
        asked = evaluationservicepb.GetEvaluationRunRequest(
            world_id=self.world, strategy_id=run.strategy_id, run_id=run.run_id
        )
        clock = self.retrying.clock
        until = clock.monotonic() + self.retrying.outage.limit_s
        while run.evidence_state == evaluationpb.EVIDENCE_STATE_PENDING and clock.monotonic() < until:
            await clock.sleep(EVIDENCE_PACE_S)
            run = (await self.retrying.ask(lambda: self.client.evaluation.GetEvaluationRun(asked), "evaluation")).run
        return run

    async def _older(self, strategy: strategypb.Strategy) -> list[strategypb.Strategy]:
        """Other versions of the strategy that are in the world: the same name, other code."""

        def page_of(page: commonpb.PageRequest) -> Awaitable[strategyservicepb.ListStrategiesResponse]:
            state = controlpb.STRATEGY_STATE_COMPLETED
            request = strategyservicepb.ListStrategiesRequest(world_id=self.world, state=state, page=page)
            return self.client.strategies.ListStrategies(request)

        found = [one async for reply in self.retrying.pages(page_of, "strategies") for one in reply.strategies]
        same = [one for one in found if one.meta.name == strategy.meta.name]
        return [one for one in same if one.strategy_id != strategy.strategy_id]

    async def supersede(self, strategy_ids: Iterable[str], by: str) -> None:
        """Cancel older versions of a strategy."""
        for strategy_id in strategy_ids:
            request = strategyservicepb.CancelStrategyRequest(strategy_id=strategy_id, message=f"superseded by {by}")
            await self.retrying.ask(partial(self.client.strategies.CancelStrategy, request), "supersede")

    async def _evaluate(self, request: evaluationservicepb.EvaluateRequest) -> evaluationpb.EvaluationRun:
        return (await self.retrying.ask(lambda: self.client.evaluation.Evaluate(request), "evaluate")).run

    async def evaluate_session(
        self, session: sessionpb.Session, owner: Owner, bars: Bars, metrics: dict[str, float]
    ) -> evaluationpb.EvaluationRun | None:
        """Report what a session came to; None when there is nothing to say, or the strategy was unbound."""
        if not metrics:
            return None
        request = session_report(session, owner, bars, {**metrics, CROSS_CONTEXT_HITS: 0})  # it reads no queue
        try:
            return await self._evaluate(request)
        except NotFound as error:
            if error.reason != "E_BINDING_UNKNOWN":
                raise
            return None

    async def decision(self) -> decisionpb.DecisionEnvelope:
        """What the world may do now."""
        request = evaluationservicepb.DecideRequest(world_id=self.world)
        return (await self.retrying.ask(lambda: self.client.evaluation.Decide(request), "decide")).decision

    async def activation(self) -> activationpb.ActivationEnvelope:
        """The world's activation now."""
        request = activationservicepb.GetActivationRequest(world_id=self.world)
        return (await self.retrying.ask(lambda: self.client.activation.GetActivation(request), "activation")).activation

    async def _settled(self, strategy_id: str) -> strategypb.Strategy:
        request = strategyservicepb.WatchStrategyRequest(strategy_id=strategy_id)
        while True:
            try:
                with scoped(self.client.strategies.WatchStrategy(request)) as changes:
                    async for change in changes:
                        self.retrying.outage.answered()
                        if change.strategy.state in _FINAL:
                            return change.strategy
            except QmtlError as error:
                await self.retrying.outage.failed(error, "watch")

    async def _bound(self, strategy: strategypb.Strategy, *, attached: bool) -> BoundStrategy:
        outcome = next((item for item in strategy.outcomes if item.world_id == self.world), None)
        if strategy.state != controlpb.STRATEGY_STATE_COMPLETED or outcome is None:
            name = controlpb.StrategyState.Name(strategy.state).removeprefix("STRATEGY_STATE_")
            reason = ": ".join(filter(None, (strategy.reason, strategy.message))) or "no reason given"
            raise NotReady(
                "E_SUBMISSION_FAILED",
                f"strategy {strategy.strategy_id} is {name} in world {self.world}: {reason}",
                metadata={"strategy_id": strategy.strategy_id},
            )
        return BoundStrategy(strategy, outcome, await self._assignments(strategy.strategy_id), attached)

    async def _assignments(self, strategy_id: str) -> tuple[diffpb.QueueAssignment, ...]:
        def page_of(page: commonpb.PageRequest) -> Awaitable[strategyservicepb.ListAssignmentsResponse]:
            request = strategyservicepb.ListAssignmentsRequest(strategy_id=strategy_id, world_id=self.world, page=page)
            return self.client.strategies.ListAssignments(request)

        return tuple([one async for reply in self.retrying.pages(page_of, "queues") for one in reply.assignments])


async def submit(
    strategy: Strategy,
    *,
    world: str,
    data: str | None = None,
    history: History | None = None,
    terms: AccountTerms | None = None,
    gateway: Gateway | None = None,
    supersede: bool = False,
) -> SubmitResult:
    """Submit a strategy to a world and replay its data; see Runner.submit."""
    assembled, gateway = assemble(strategy), gateway or Gateway()
    await check_repeats_beside(assembled.dag)
    async with open_client(gateway) as client:
        submitter = Submitter(RetryingClient.open(client, gateway.outage_s_max, SystemClock()), world)
        result = await submitter.submit(assembled, data, history or History(), terms)
        if supersede and result.older:
            await submitter.supersede(result.older, result.strategy_id)
            result = replace(result, superseded=result.older, older=())
        return result


def submission(assembled: Assembled, world: str) -> strategypb.StrategySubmission:
    """A new submission; sent again with the same request_id it is the same submission."""
    return strategypb.StrategySubmission(
        request_id=str(uuid.uuid4()),
        meta=strategypb.StrategyMeta(name=assembled.name, client=f"python/{importlib.metadata.version('qmtl')}"),
        dag=graph_to_proto(assembled.dag),
        node_ids_crc32=assembled.dag.crc32,
        world_ids=[world],
    )


def in_chunks(asked: strategypb.StrategySubmission) -> Chunked[strategyservicepb.SubmitStrategyRequest]:
    """A submission as SubmitStrategy takes it."""
    return Chunked(strategyservicepb.SubmitStrategyRequest, asked, asked.world_ids)


def queue_keys(bound: BoundStrategy) -> dict[str, str]:
    """The ComputeKey of each node's queue, by NodeID."""
    return {item.node_id: item.compute_key for item in bound.assignments if item.compute_key}
