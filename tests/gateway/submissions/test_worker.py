"""Workers on a real store: races of acceptance, and a commit that eats the time of its claim."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest
from sqlalchemy import Connection

from gateway.peers import Peers
from gateway.submissions.domain import Record, State, Step, Submission
from gateway.submissions.release_worker import ReleaseWorker
from gateway.submissions.store import strategies
from gateway.submissions.store.room import QueueLimits
from gateway.submissions.wire import assignments_from_stored
from gateway.submissions.worker import Workers, WorkerSettings
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Conflict, NotFound
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.rpc.rules.methods import REQUEST_BYTES_DEFAULT
from qmtl.sql.database import Database
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from tests.gateway.submissions.test_store import NOW, submission
from tests.support.waiting import eventually

T = TypeVar("T")
CLAIM_TTL_S = 1.0
PLACES = 4


class World:
    """worldservice, whose bindings take their time."""

    def __init__(self) -> None:
        self.bound: set[str] = set()

    async def BindStrategy(
        self, request: bindingservicepb.BindStrategyRequest
    ) -> bindingservicepb.BindStrategyResponse:
        await asyncio.sleep(0.75 * CLAIM_TTL_S)
        self.bound.add(request.strategy_id)
        return bindingservicepb.BindStrategyResponse()

    async def UnbindStrategy(
        self, request: bindingservicepb.UnbindStrategyRequest, **call: object
    ) -> bindingservicepb.UnbindStrategyResponse:
        self.bound.discard(request.strategy_id)
        return bindingservicepb.UnbindStrategyResponse()


class Compute:
    """worldservice, which binds at once and lets nothing but compute; no world of it has data."""

    async def BindStrategy(
        self, request: bindingservicepb.BindStrategyRequest
    ) -> bindingservicepb.BindStrategyResponse:
        return bindingservicepb.BindStrategyResponse(
            binding=bindingpb.Binding(world_id=request.world_id, stage=bindingpb.STAGE_BACKTEST),
            decision=decisionpb.DecisionEnvelope(
                world_id=request.world_id, effective_mode=commonpb.EFFECTIVE_MODE_COMPUTE_ONLY
            ),
        )


class Plans:
    """dagmanager, which knows no plan."""

    async def GetPlan(self, request: object, **call: object) -> None:
        raise NotFound("E_PLAN_UNKNOWN", "no plan")


class Diffs:
    """dagmanager, whose answers have as many chunks of one assignment each, of which the last may be missing."""

    def __init__(self, chunks: int, *, cut: bool = False) -> None:
        self._chunks = [diffpb.DiffChunk(assignments=[diffpb.QueueAssignment(world_id="w")]) for _ in range(chunks)]
        if not cut:
            self._chunks[-1].summary.version = 7
        self.asked: list[tuple[str, int, int]] = []  # method, first chunk wanted, nodes sent

    async def DiffSmall(self, request: diffservicepb.DiffSmallRequest) -> diffservicepb.DiffSmallResponse:
        self._note("DiffSmall", request.question)
        return diffservicepb.DiffSmallResponse(chunk=self._chunks[0])

    async def Diff(self, parts: Iterable[diffservicepb.DiffRequest]) -> AsyncIterator[diffservicepb.DiffResponse]:
        question = diffpb.DiffQuestion.FromString(b"".join(part.chunk for part in parts))
        self._note("Diff", question)
        for chunk in self._chunks[question.from_chunk :]:
            yield diffservicepb.DiffResponse(chunk=chunk)

    def _note(self, method: str, question: diffpb.DiffQuestion) -> None:
        self.asked.append((method, question.from_chunk, len(question.dag.nodes)))


class SlowCommit(Database):
    """A database whose first commit is slow to answer."""

    slow = True

    async def write(self, work: Callable[[Connection], T]) -> T:
        found = await super().write(work)
        if self.slow:
            self.slow = False
            await asyncio.sleep(0.45 * CLAIM_TTL_S)
        return found


def workers(db: Database, world: World) -> tuple[Workers, ReleaseWorker]:
    peers, clock = cast("Peers", SimpleNamespace(bindings=world, plans=Plans())), SystemClock()
    return Workers(db, peers, clock, WorkerSettings("g", PLACES, QueueLimits(100), CLAIM_TTL_S)), ReleaseWorker(
        db, peers, clock, 0.02
    )


async def test_binding_after_a_slow_commit_is_undone_however_late_it_is(database_url: str, db: Database) -> None:
    world, slow = World(), SlowCommit(database_url)
    working, releasing = workers(slow, world)
    running = [asyncio.create_task(working.run()), asyncio.create_task(releasing.run())]
    try:
        await eventually(lambda: working.free == PLACES)
        record, _ = await working.accept(submission(), strategypb.StrategySubmission())
        assert record.state is State.PROCESSING
        step = Step(State.CANCELED, "ada", SystemClock().now())
        await db.write(lambda conn: strategies.cancel(conn, record.strategy_id, step))

        async def ended() -> bool:
            return not (await db.read(lambda conn: strategies.get(conn, record.strategy_id))).release_pending

        await eventually(ended)
        await eventually(lambda: working.free == PLACES)  # whoever still works on it is through
        await eventually(ended)
        assert not world.bound
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await slow.close()


@asynccontextmanager
async def working_with(db: Database, diffs: Diffs) -> AsyncIterator[Workers]:
    peers = cast("Peers", SimpleNamespace(bindings=Compute(), plans=Plans(), diffs=diffs))
    working = Workers(db, peers, SystemClock(), WorkerSettings("g", PLACES, QueueLimits(100), CLAIM_TTL_S))
    running = asyncio.create_task(working.run())
    try:
        await eventually(lambda: working.free == PLACES)
        yield working
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_diff_that_is_cut_puts_the_submission_back_with_the_reason(db: Database) -> None:
    async with working_with(db, Diffs(1, cut=True)) as working:
        record, _ = await working.accept(submission(), strategypb.StrategySubmission())

        async def put_back() -> bool:
            steps = await db.read(lambda conn: strategies.history(conn, record.strategy_id))
            return (State.QUEUED, "E_DIFF_CUT") in {(step.state, step.reason) for _, step in steps}

        await eventually(put_back)


@pytest.mark.parametrize(
    ("chunks", "label_bytes", "asked"),
    [
        (1, 0, [("DiffSmall", 0, 1)]),
        (3, 0, [("DiffSmall", 0, 1), ("Diff", 1, 0)]),
        (1, REQUEST_BYTES_DEFAULT, [("Diff", 0, 1)]),
    ],
    ids=["small", "small-with-a-long-answer", "large"],
)
async def test_a_small_dag_goes_in_one_message_and_only_the_rest_of_its_answer_by_stream(
    db: Database, chunks: int, label_bytes: int, asked: list[tuple[str, int, int]]
) -> None:
    diffs = Diffs(chunks)
    request = strategypb.StrategySubmission(dag=dagpb.Dag(nodes=[dagpb.DagNode(node_id="x" * label_bytes)]))
    async with working_with(db, diffs) as working:
        record, _ = await working.accept(submission(), request)
        settled, _ = await working.settled(record, 10.0)
    assert (settled.state, settled.plan_version) == (State.COMPLETED, 7)
    assert diffs.asked == asked
    stored = await db.read(lambda conn: strategies.assignments_of(conn, record.strategy_id, "w", 0, 10))
    assert len(assignments_from_stored(stored, 0)) == chunks


async def raced(database_url: str, db: Database, first: Submission, second: Submission) -> tuple[Record, bool]:
    """Accept one submission while another is in the middle of its transaction."""
    other, inside = Database(database_url), threading.Event()

    def slowly(conn: Connection) -> None:
        strategies.accept(conn, first, NOW, QueueLimits(100))
        inside.set()
        time.sleep(0.3)

    try:
        begun = asyncio.create_task(db.write(slowly))
        await asyncio.to_thread(inside.wait)
        working, _ = workers(other, World())
        try:
            return await working.accept(second, strategypb.StrategySubmission())
        finally:
            await begun
    finally:
        await other.close()


async def test_one_request_at_two_gateways_at_once_is_one_strategy(database_url: str, db: Database) -> None:
    record, repeated = await raced(database_url, db, submission(), submission())
    assert (record.strategy_id, repeated) == (submission().strategy_id, True)


async def test_two_bodies_of_one_request_id_at_once_are_refused(database_url: str, db: Database) -> None:
    other = replace(submission(dag="blake3:bb"), body_digest="other")
    with pytest.raises(Conflict) as refused:
        await raced(database_url, db, submission(), other)
    assert refused.value.reason == "E_REQUEST_ID_REUSED"
