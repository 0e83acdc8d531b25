"""Workers: carry an accepted submission through binding, decision and diff to its outcome.

A submission is worked on where it was accepted if there is room, else by whoever has room first. A claim has an
epoch; everything done elsewhere is idempotent on the strategy's id, so a claim that ran out is simply done again by
another. A dependency that is away means later, never failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.peers import Peers
from gateway.submissions import events, wire
from gateway.submissions.contexts import resolve
from gateway.submissions.domain import Claim, Outcome, Record, State, Step, Submission, backoff_s
from gateway.submissions.store import claims, strategies
from gateway.submissions.store.room import QueueLimits
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, QmtlError, Unavailable
from qmtl.core.identity import canonical
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.rpc.auth.call import own_act
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.rules.methods import REQUEST_BYTES_DEFAULT
from qmtl.sql.database import Database
from qmtl.wire.contexts import context_to_proto
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb

IDLE_S = 1.0  # how long due or abandoned submissions of other processes may wait to be seen
REMOTE_LOOK_S = 0.5  # and the end of what is worked on elsewhere, by who waits for it
LOCAL_LOOK_S = 2.0  # how long the end of what is worked on here may wait to be seen when a cancel ends it, not its work
SETTLED = frozenset({State.COMPLETED, State.FAILED, State.CANCELED})
SMALL_BYTES = REQUEST_BYTES_DEFAULT - 16  # of a question that is sent in one message, with room for what is around it
LATER = (Unavailable, DeadlineExceeded, Exhausted)
Settled = tuple[Record, bytes]  # with what it came to, empty unless COMPLETED
log = structlog.stdlib.get_logger("qmtl.gateway.submissions")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Name of this process in the history, how many submissions at once, what may wait, how long a claim holds."""

    name: str
    workers: int
    waiting: QueueLimits
    claim_ttl_s: float


class Workers:
    """Accepts submissions, and works on them and on what others left until stopped."""

    def __init__(self, db: Database, peers: Peers, clock: Clock, settings: WorkerSettings) -> None:
        self._db = db
        self._peers = peers
        self._clock = clock
        self._settings = settings
        self._free = settings.workers
        self._woken = asyncio.Event()
        self._more = True  # whether something may be due that nobody has looked for
        self._waiting: dict[str, list[asyncio.Future[Settled]]] = {}
        self._working: set[str] = set()  # strategies worked on here: who waits for one is told
        self._group: asyncio.TaskGroup | None = None

    @property
    def free(self) -> int:
        """How many submissions it could begin with now; none before it runs."""
        return self._free if self._group is not None else 0

    async def run(self) -> None:
        """Take up what is due whenever there is room, for ever."""
        unsubscribe = self._db.on_signal(events.TODO_SIGNAL, self._look)
        try:
            async with asyncio.TaskGroup() as self._group:
                while True:
                    self._woken.clear()
                    if not (self._free and await self._take_up()):
                        with suppress(TimeoutError):
                            async with asyncio.timeout(IDLE_S):
                                await self._woken.wait()
        finally:
            self._group = None
            unsubscribe()

    async def accept(self, submission: Submission, request: strategypb.StrategySubmission) -> tuple[Record, bool]:
        """Store a submission, and begin with it when there is room; its caller may leave meanwhile.

        (record, True) when it was accepted before. Raises as store.accept.
        """
        if not self.free:
            return await self._stored(submission, None)
        self._free -= 1
        return await asyncio.shield(self._start(self._accept(submission, request)))

    async def settled(self, record: Record, within_s: float) -> Settled:
        """The record once it is settled, here or elsewhere, or as it is when the time is up."""
        told: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        listeners = self._waiting.setdefault(record.strategy_id, [])
        listeners.append(told)
        deadline = self._clock.monotonic() + within_s
        try:
            while record.state not in SETTLED and (left := deadline - self._clock.monotonic()) > 0:
                look_s = LOCAL_LOOK_S if record.strategy_id in self._working else REMOTE_LOOK_S
                await asyncio.wait({told}, timeout=min(left, look_s))
                if told.done():
                    return told.result()
                record = await self._read(record.strategy_id)
        finally:
            listeners.remove(told)
            if not listeners:
                self._waiting.pop(record.strategy_id, None)
        if record.state is not State.COMPLETED:
            return record, b""
        return record, await self._db.read(lambda conn: strategies.outcome_of(conn, record.strategy_id))

    async def _accept(self, submission: Submission, request: strategypb.StrategySubmission) -> tuple[Record, bool]:
        """With a place held: accept and begin, or give the place back."""
        began, until = False, self._work_until()
        try:
            record, repeated = await self._stored(submission, self._claim(self._clock.now()))
            if not repeated:
                self._begin(record, request, until)
                began = True
            return record, repeated
        finally:
            if not began:
                self._leave()

    async def _stored(self, submission: Submission, claim: Claim | None) -> tuple[Record, bool]:
        at, most = self._clock.now(), self._settings.waiting

        def work(conn: Connection) -> tuple[Record, bool]:
            return strategies.accept(conn, submission, at, most, claim)

        try:
            return await self._db.write(work)
        except (IntegrityError, strategies.Raced):  # the same request at another gateway at this moment: known by now
            return await self._db.write(work)

    async def _read(self, strategy_id: str) -> Record:
        return await self._db.read(lambda conn: strategies.get(conn, strategy_id))

    async def _take_up(self) -> bool:
        """Claim what is due, as much as there is room for; False when there is nothing, or the store is away."""
        at, most, until = self._clock.now(), self._free, self._work_until()
        self._free = 0  # held until it is known how many are needed
        self._more = False
        records: list[Record] = []
        try:
            if await self._db.read(lambda conn: claims.any_due(conn, at)):
                self._more = True
                records = await self._db.write(lambda conn: claims.claim(conn, self._claim(at), at, most))
        except LATER as error:
            log.warning("claim_failed", reason=error.reason)
        finally:
            self._free += most - len(records)
        for record in records:
            self._begin(record, None, until)
        return bool(records)

    def _work_until(self) -> float:
        """When work on a claim that is made now has to end, by the loop's clock: a slow commit takes from its time."""
        return asyncio.get_running_loop().time() + 0.8 * self._settings.claim_ttl_s

    def _claim(self, at: datetime) -> Claim:
        return Claim(self._settings.name, at + timedelta(seconds=self._settings.claim_ttl_s))

    def _start(self, work: Coroutine[None, None, tuple[Record, bool]]) -> asyncio.Task[tuple[Record, bool]]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # its caller may have left
        return task

    def _begin(self, record: Record, request: strategypb.StrategySubmission | None, until: float) -> None:
        """Work on a claim whose place is held; as the gateway itself, whoever called."""
        assert self._group is not None
        self._working.add(record.strategy_id)
        with own_act():
            self._group.create_task(self._work(record, request, until))

    def _look(self) -> None:
        self._more = True
        self._woken.set()

    def _leave(self) -> None:
        self._free += 1
        if self._more:
            self._woken.set()

    async def _work(self, record: Record, request: strategypb.StrategySubmission | None, until: float) -> None:
        try:
            await self._process(record, request, until)
        finally:
            self._working.discard(record.strategy_id)
            self._leave()

    async def _process(self, record: Record, request: strategypb.StrategySubmission | None, until: float) -> None:
        """Settle a claim one way or another; a failure to settle leaves the claim to run out."""
        try:
            try:
                async with asyncio.timeout_at(until):
                    outcome = await self._carry_out(record, request or await self._request(record))
            except (*LATER, TimeoutError) as error:
                await self._put_back(record, error)
            except QmtlError as error:
                step = self._step(State.FAILED, error.reason, error.message[:2000])
                await self._finish(record, step, None)
            else:
                await self._finish(record, self._step(State.COMPLETED), outcome)
        except LATER as error:
            log.warning("settle_failed", strategy_id=record.strategy_id, reason=error.reason)

    async def _put_back(self, record: Record, error: QmtlError | TimeoutError) -> None:
        reason = error.reason if isinstance(error, QmtlError) else "E_DEADLINE_EXCEEDED"
        step = self._step(State.QUEUED, reason, f"waits: {error}"[:500])
        retry_at = step.at + timedelta(seconds=backoff_s(record.attempts))
        if not await self._db.write(lambda conn: claims.put_back(conn, record, step, retry_at)):
            await self._db.write(lambda conn: claims.lost(conn, record, step.at))

    async def _finish(self, record: Record, step: Step, outcome: Outcome | None) -> None:
        settled = await self._db.write(lambda conn: claims.finish(conn, record, step, outcome))
        if settled is None:
            await self._db.write(lambda conn: claims.lost(conn, record, step.at))
        else:
            self._tell(settled, outcome.body if outcome is not None else b"")
        level = log.debug if outcome is not None and settled is not None else log.info
        level("submission_settled", strategy_id=record.strategy_id, state=step.state.value, kept=settled is not None)

    def _step(self, state: State, reason: str = "", message: str = "") -> Step:
        return Step(state, self._settings.name, self._clock.now(), reason, message)

    async def _request(self, record: Record) -> strategypb.StrategySubmission:
        """The request of a submission that was not accepted here just now."""
        body = await self._db.read(lambda conn: strategies.request_of(conn, record.strategy_id))
        return strategypb.StrategySubmission.FromString(body)

    def _tell(self, settled: Record, outcome: bytes) -> None:
        for told in self._waiting.get(settled.strategy_id, ()):
            if not told.done():
                told.set_result((settled, outcome))

    async def _carry_out(self, record: Record, request: strategypb.StrategySubmission) -> Outcome:
        outcomes = [await self._bind(record, request, world_id) for world_id in record.world_ids]
        answer = await self._diff(record, request, outcomes)
        body = strategypb.Strategy(outcomes=outcomes).SerializeToString()
        parts = wire.assignments_to_stored(answer.assignments)
        return Outcome(answer.summary.sentinel_id, answer.summary.version, body, parts)

    async def _bind(
        self, record: Record, request: strategypb.StrategySubmission, world_id: str
    ) -> strategypb.WorldOutcome:
        """Bind the strategy to a world and decide the context it computes in there."""
        bind = bindingservicepb.BindStrategyRequest(
            world_id=world_id,
            strategy_id=record.strategy_id,
            on_behalf_of=record.subject,
            node_ids=[node.node_id for node in request.dag.nodes],
        )
        bound = await self._peers.bindings.BindStrategy(bind)
        context = await resolve(self._peers, request.hints, bound.decision, bound.binding.stage, bound.data_presets)
        return strategypb.WorldOutcome(
            world_id=world_id,
            context=context_to_proto(context),
            decision=wire.without_selected(bound.decision),
            binding=bound.binding,
        )

    async def _diff(
        self,
        record: Record,
        request: strategypb.StrategySubmission,
        outcomes: Sequence[strategypb.WorldOutcome],
    ) -> diffpb.DiffChunk:
        """All chunks of the diff as one; a lost stream is asked again under the same request_id."""
        question = diffpb.DiffQuestion(
            request_id=_diff_id(record, outcomes),
            strategy_id=record.strategy_id,
            dag=request.dag,
            contexts=[outcome.context for outcome in outcomes],
            version_label=request.meta.version_label,
            decline_sentinel=any(outcome.context.safe_mode for outcome in outcomes),
            created_by=record.subject,
        )
        whole = diffpb.DiffChunk()
        if question.ByteSize() <= SMALL_BYTES:
            small = diffservicepb.DiffSmallRequest(question=question)
            whole = (await self._peers.diffs.DiffSmall(small)).chunk
            if whole.HasField("summary"):
                return whole
            question.ClearField("dag")
            question.from_chunk = 1
        async for response in self._peers.diffs.Diff(Chunked(diffservicepb.DiffRequest, question)):
            whole.assignments.extend(response.chunk.assignments)
            if response.chunk.HasField("summary"):
                whole.summary.CopyFrom(response.chunk.summary)
        if not whole.HasField("summary"):
            raise Unavailable("E_DIFF_CUT", "dagmanager's answer ended before its last chunk")
        return whole


def _diff_id(record: Record, outcomes: Sequence[strategypb.WorldOutcome]) -> str:
    """The same for a claim done again; another once the contexts are decided otherwise: that is another question."""
    decided = b"".join(outcome.context.SerializeToString(deterministic=True) for outcome in outcomes)
    return f"{record.strategy_id}/{canonical.digest(decided)[7:23]}"
