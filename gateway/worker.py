"""Workers: carry an accepted submission through decision, binding and diff to its outcome.

A worker holds a claim with an epoch; everything it does elsewhere is idempotent on the strategy's id, so a claim
that ran out is simply done again by another. A dependency that is away means later, never failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from controlbus.database import Database
from gateway import store
from gateway.contexts import resolve
from gateway.domain.submissions import State, backoff_s
from gateway.peers import Peers
from qmtl.core import identity
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, QmtlError, Unavailable
from qmtl.dag.v1 import service_pb2 as dagservicepb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.wire.words import context_to_proto
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb

IDLE_S = 0.5  # how long due or abandoned submissions of other processes may wait to be seen
LATER = (Unavailable, DeadlineExceeded, Exhausted)
log = structlog.stdlib.get_logger("qmtl.gateway.worker")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Name of this process in the history, how many submissions at once, how long a claim holds."""

    name: str
    workers: int
    claim_ttl_s: float


class Workers:
    """Claims and processes submissions until stopped."""

    def __init__(self, db: Database, peers: Peers, clock: Clock, settings: WorkerSettings) -> None:
        self._db = db
        self._peers = peers
        self._clock = clock
        self._settings = settings
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Run the configured number of workers for ever."""
        unsubscribe = self._db.on_signal(store.TODO_SIGNAL, self._woken.set)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._settings.workers):
                    group.create_task(self._work())
        finally:
            unsubscribe()

    async def _work(self) -> None:
        ttl = timedelta(seconds=self._settings.claim_ttl_s)
        while True:
            self._woken.clear()
            record = await self._claim(ttl)
            if record is None:
                await self._wait()
            else:
                self._woken.set()  # there may be more: the next idle worker looks at once
                await self._process(record)

    async def _claim(self, ttl: timedelta) -> store.Record | None:
        at = self._clock.now()
        try:
            return await self._db.write(lambda conn: store.claim(conn, self._settings.name, at, ttl))
        except LATER as error:
            log.warning("claim_failed", reason=error.reason)
            return None

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(IDLE_S):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _process(self, record: store.Record) -> None:
        """Settle a claim one way or another; a failure to settle leaves the claim to run out."""
        try:
            try:
                async with asyncio.timeout(0.8 * self._settings.claim_ttl_s):
                    outcome = await self._carry_out(record)
            except (*LATER, TimeoutError) as error:
                await self._put_back(record, error)
            except QmtlError as error:
                await self._finish(record, State.FAILED, f"{error.reason}: {error.message}", None)
            else:
                await self._finish(record, State.COMPLETED, "", outcome)
        except LATER as error:
            log.warning("settle_failed", strategy_id=record.strategy_id, reason=error.reason)

    async def _put_back(self, record: store.Record, error: QmtlError | TimeoutError) -> None:
        now = self._clock.now()
        reason = f"waits: {error}"[:500]
        step = store.Step(State.QUEUED, reason, self._settings.name, now)
        retry_at = now + timedelta(seconds=backoff_s(record.attempts))
        if not await self._db.write(lambda conn: store.put_back(conn, record, step, retry_at)):
            await self._db.write(lambda conn: store.lost(conn, record, now))

    async def _finish(self, record: store.Record, state: State, reason: str, outcome: bytes | None) -> None:
        step = store.Step(state, reason[:2000], self._settings.name, self._clock.now())
        settled = await self._db.write(lambda conn: store.finish(conn, record, step, outcome))
        if not settled:
            await self._db.write(lambda conn: store.lost(conn, record, step.at))
        log.info("submission_settled", strategy_id=record.strategy_id, state=state.value, kept=settled)

    async def _carry_out(self, record: store.Record) -> bytes:
        request = servicepb.SubmitStrategyRequest.FromString(record.request)
        outcomes = [await self._enter(record, request, world_id) for world_id in record.world_ids]
        answer = await self._diff(record, request, outcomes)
        for outcome in outcomes:
            outcome.assignments.extend(a for a in answer.assignments if a.world_id == outcome.world_id)
            outcome.binding.CopyFrom(await self._bind(record, outcome.world_id, answer.summary.version))
        result = gatewaypb.Strategy(
            outcomes=outcomes, sentinel_id=answer.summary.sentinel_id, plan_version=answer.summary.version
        )
        return result.SerializeToString()

    async def _enter(
        self, record: store.Record, request: servicepb.SubmitStrategyRequest, world_id: str
    ) -> gatewaypb.WorldOutcome:
        """Bind the strategy to a world and decide the context it computes in there."""
        binding = await self._bind(record, world_id)
        decided = await self._peers.world.Decide(worldservicepb.DecideRequest(world_id=world_id))
        context = await resolve(self._peers, request.hints, decided.decision, binding.stage)
        return gatewaypb.WorldOutcome(
            world_id=world_id, context=context_to_proto(context), decision=decided.decision, binding=binding
        )

    async def _bind(self, record: store.Record, world_id: str, plan_version: int = 0) -> worldpb.Binding:
        """Bind, or tell the binding that stands its plan, which is known only after the diff."""
        request = worldservicepb.BindStrategyRequest(
            world_id=world_id, strategy_id=record.strategy_id, on_behalf_of=record.subject, plan_version=plan_version
        )
        return (await self._peers.world.BindStrategy(request)).binding

    async def _diff(
        self,
        record: store.Record,
        request: servicepb.SubmitStrategyRequest,
        outcomes: Sequence[gatewaypb.WorldOutcome],
    ) -> dagservicepb.DiffChunk:
        """All chunks of the diff as one; a lost stream is asked again under the same request_id."""
        whole = dagservicepb.DiffChunk()
        diff = dagservicepb.DiffRequest(
            request_id=_diff_id(record, outcomes),
            strategy_id=record.strategy_id,
            dag=request.dag,
            contexts=[outcome.context for outcome in outcomes],
            version_label=request.meta.version_label,
            decline_sentinel=any(outcome.context.safe_mode for outcome in outcomes),
            created_by=record.subject,
        )
        async for response in self._peers.dag.Diff(diff):
            whole.assignments.extend(response.chunk.assignments)
            if response.chunk.HasField("summary"):
                whole.summary.CopyFrom(response.chunk.summary)
        if not whole.HasField("summary"):
            raise Unavailable("E_DIFF_CUT", "dagmanager's answer ended before its last chunk")
        return whole


def _diff_id(record: store.Record, outcomes: Sequence[gatewaypb.WorldOutcome]) -> str:
    """The same for a claim done again; another once the contexts are decided otherwise: that is another question."""
    decided = b"".join(outcome.context.SerializeToString(deterministic=True) for outcome in outcomes)
    return f"{record.strategy_id}/{identity.digest(decided)[7:23]}"
