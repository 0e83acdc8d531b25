"""The submissions database, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.submissions.domain import Claim, Outcome, Record, State, Step, Submission, strategy_id_of
from gateway.submissions.store import claims, releases, room, strategies
from gateway.submissions.store.room import QueueLimits
from gateway.submissions.tables import LIVE_DAGS, OUTBOX
from qmtl.core.errors import AlreadyExists, Conflict, Exhausted, NotFound, NotReady
from qmtl.core.paging import Page
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.sql.database import Database
from tests.support.round_trips import counted_trips

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
TTL = timedelta(seconds=10)


def submission(request_id: str = "r1", dag: str = "blake3:aa", worlds: tuple[str, ...] = ("w1",)) -> Submission:
    request = strategypb.StrategySubmission(request_id=request_id, world_ids=worlds).SerializeToString()
    return Submission(
        strategy_id=strategy_id_of("ada", request_id), request_id=request_id, body_digest=f"body-{request_id}",
        request=request, meta=b"", dag_digest=dag, node_ids=("n1", "n2"), subject="ada", world_ids=worlds,
    )  # fmt: skip


async def accepted(db: Database, entry: Submission, pending_max: int = 100) -> Record:
    record, _ = await db.write(lambda conn: strategies.accept(conn, entry, NOW, QueueLimits(pending_max)))
    return record


async def claimed(db: Database, at: datetime = NOW) -> Record | None:
    found = await db.write(lambda conn: claims.claim(conn, Claim("worker", at + TTL), at, 1))
    return found[0] if found else None


async def test_accepted_is_stored_with_history_event_and_ingest_row(db: Database) -> None:
    record = await accepted(db, submission())
    assert (record.state, record.revision, record.world_ids) == (State.QUEUED, 1, ("w1",))
    rows = await db.read(lambda conn: OUTBOX.unsent(conn, 10))
    assert sorted(row.subject.split(".")[1] for row in rows) == ["control", "ingest"]
    assert [step.state for _, step in await db.read(lambda conn: strategies.history(conn, record.strategy_id))] == [
        State.QUEUED
    ]


async def test_accepted_with_a_claim_is_in_work_at_once_and_nobody_else_gets_it(db: Database) -> None:
    claim = Claim("here", NOW + TTL)
    record, _ = await db.write(lambda conn: strategies.accept(conn, submission(), NOW, QueueLimits(100), claim))
    assert (record.state, record.revision, record.claim_epoch, record.attempts) == (State.PROCESSING, 2, 1, 1)
    assert record == await db.read(lambda conn: strategies.get(conn, record.strategy_id))
    steps = await db.read(lambda conn: strategies.history(conn, record.strategy_id))
    assert [(number, step.state, step.actor) for number, step in steps] == [
        (1, State.QUEUED, "ada"), (2, State.PROCESSING, "here")
    ]  # fmt: skip
    assert await claimed(db) is None
    later = await claimed(db, NOW + TTL)
    assert later is not None
    assert later.claim_epoch == 2
    done = await db.write(
        lambda conn: claims.finish(conn, later, Step(State.COMPLETED, "w", NOW + TTL), Outcome("", 1, b"x", {}))
    )
    assert done == await db.read(lambda conn: strategies.get(conn, record.strategy_id))


async def test_claims_are_taken_as_many_as_there_is_room_for(db: Database) -> None:
    for number in range(3):
        await accepted(db, submission(f"r{number}", dag=f"blake3:{number}"))
    claim = Claim("worker", NOW + TTL)
    first = await db.write(lambda conn: claims.claim(conn, claim, NOW, 2))
    assert [record.request_id for record in first] == ["r0", "r1"]
    assert await db.read(lambda conn: claims.any_due(conn, NOW))
    second = await db.write(lambda conn: claims.claim(conn, claim, NOW, 2))
    assert [record.request_id for record in second] == ["r2"]
    assert not await db.read(lambda conn: claims.any_due(conn, NOW))


async def test_a_request_larger_than_a_message_is_ingested_in_parts(db: Database) -> None:
    whole = bytes(range(256)) * 10_000
    await accepted(db, replace(submission(), request=whole))
    rows = await db.read(lambda conn: OUTBOX.unsent(conn, 10))
    parts = [row for row in rows if row.subject.split(".")[1] == "ingest"]
    assert b"".join(row.body for row in parts) == whole
    assert [row.headers["qmtl-part"] for row in parts] == ["1/3", "2/3", "3/3"]


async def test_same_request_answers_the_same_strategy(db: Database) -> None:
    first = await accepted(db, submission())
    again, repeated = await db.write(lambda conn: strategies.accept(conn, submission(), NOW + TTL, QueueLimits(100)))
    assert repeated
    assert again == first


async def test_same_request_id_with_another_body_is_refused(db: Database) -> None:
    await accepted(db, submission())
    with pytest.raises(Conflict) as refused:
        await accepted(db, replace(submission(), body_digest="another"))
    assert refused.value.reason == "E_REQUEST_ID_REUSED"


async def test_same_dag_in_the_same_world_is_refused_while_live(db: Database) -> None:
    first = await accepted(db, submission("r1"))
    with pytest.raises(AlreadyExists, match="E_DUPLICATE:") as refused:
        await accepted(db, submission("r2", worlds=("w0", "w1")))
    assert refused.value.metadata["strategy_id"] == first.strategy_id
    await db.write(lambda conn: strategies.cancel(conn, first.strategy_id, Step(State.CANCELED, "ada", NOW)))
    assert (await accepted(db, submission("r2", worlds=("w0", "w1")))).state is State.QUEUED


async def test_a_reservation_that_nobody_else_holds_is_a_race(db: Database) -> None:
    """The same request at another gateway reserved the DAG, or its holder ended, between two statements."""
    mine = submission("r1")
    row = {"dag_digest": mine.dag_digest, "world_id": "w1", "strategy_id": mine.strategy_id}
    await db.write(lambda conn: conn.execute(sa.insert(LIVE_DAGS).values(row)))
    with pytest.raises(strategies.Raced, match="E_DUPLICATE_GONE") as raced:
        await accepted(db, mine)
    assert raced.value.retry_after_s
    await db.write(lambda conn: conn.execute(sa.delete(LIVE_DAGS)))
    assert (await accepted(db, mine)).state is State.QUEUED


async def test_full_queue_refuses_with_a_time_to_come_back(db: Database) -> None:
    await accepted(db, submission("r1"), pending_max=1)
    with pytest.raises(Exhausted, match="E_QUEUE_FULL") as refused:
        await accepted(db, submission("r2", dag="blake3:bb"), pending_max=1)
    assert refused.value.retry_after_s


async def test_bytes_that_wait_are_shared_by_identity_and_by_world(db: Database) -> None:
    """The two limits are of the whole queue of a person, and of a world whoever submits to it."""
    large, limits = b"x" * 500, QueueLimits(100, identity_bytes_max=1000, world_bytes_max=2000, counted_from=1)

    def of(subject: str, name: str, body: bytes, *worlds: str) -> Submission:
        made = submission(name, dag=f"blake3:{subject}-{name}", worlds=worlds)
        return replace(made, strategy_id=strategy_id_of(subject, name), subject=subject, request=body)

    def check(entry: Submission, within: QueueLimits = limits) -> Callable[[Connection], None]:
        return lambda conn: room.check_room(conn, entry, within, room.queued(conn))

    await accepted(db, of("ada", "r1", large, "w1"))
    await db.read(check(of("ada", "r2", large, "w1")))
    more = of("ada", "r3", large + b"x", "w2")
    with pytest.raises(Exhausted, match=r"E_SHARE_EXCEEDED: 500 bytes of submissions of ada wait") as refused:
        await db.read(check(more))
    assert (refused.value.retry_after_s, refused.value.metadata["share"]) == (1.0, "queue_bytes")
    await db.read(check(more, replace(limits, counted_from=2)))
    for subject in ("bob", "eve", "joe"):
        await accepted(db, of(subject, "r1", large, "w0", "w1"))
    with pytest.raises(Exhausted, match="of world w1 wait already"):
        await db.read(check(of("zoe", "r1", b"x", "w2", "w1")))
    await db.read(check(of("zoe", "r1", b"x", "w0")))


async def test_each_submission_is_claimed_once(db: Database) -> None:
    await accepted(db, submission())
    first = await claimed(db)
    assert first is not None
    assert first.state is State.PROCESSING
    assert await claimed(db) is None


async def test_abandoned_claim_goes_to_another_and_the_first_changes_nothing_more(db: Database) -> None:
    await accepted(db, submission())
    first = await claimed(db)
    second = await claimed(db, NOW + TTL)
    assert first is not None
    assert second is not None
    assert second.claim_epoch == first.claim_epoch + 1
    step = Step(State.COMPLETED, "worker", NOW)
    assert not await db.write(lambda conn: claims.finish(conn, first, step, Outcome("", 1, b"late", {})))
    assert await db.write(lambda conn: claims.finish(conn, second, step, Outcome("", 2, b"good", {})))
    record = await db.read(lambda conn: strategies.get(conn, first.strategy_id))
    assert (record.state, record.plan_version) == (State.COMPLETED, 2)
    assert await db.read(lambda conn: strategies.outcome_of(conn, first.strategy_id)) == b"good"


async def test_put_back_waits_for_its_time(db: Database) -> None:
    await accepted(db, submission())
    record = await claimed(db)
    assert record is not None
    step = Step(State.QUEUED, "worker", NOW, "E_X")
    await db.write(lambda conn: claims.put_back(conn, record, step, NOW + timedelta(seconds=1)))
    assert await claimed(db, NOW) is None
    assert await claimed(db, NOW + timedelta(seconds=1)) is not None


async def test_failed_submission_frees_its_dag(db: Database) -> None:
    await accepted(db, submission("r1"))
    record = await claimed(db)
    assert record is not None
    await db.write(lambda conn: claims.finish(conn, record, Step(State.FAILED, "worker", NOW, "E_X"), None))
    assert (await accepted(db, submission("r2"))).state is State.QUEUED
    with pytest.raises(NotReady):
        await db.write(lambda conn: strategies.cancel(conn, record.strategy_id, Step(State.CANCELED, "ada", NOW)))


async def test_cancel_takes_the_claim_away(db: Database) -> None:
    await accepted(db, submission())
    record = await claimed(db)
    assert record is not None
    await db.write(lambda conn: strategies.cancel(conn, record.strategy_id, Step(State.CANCELED, "ada", NOW)))
    step = Step(State.COMPLETED, "worker", NOW)
    assert not await db.write(lambda conn: claims.finish(conn, record, step, Outcome("", 1, b"", {})))


async def taken_up(db: Database, at: datetime) -> releases.Release | None:
    return await db.write(lambda conn: releases.take_up(conn, at, TTL))


async def test_failed_submission_is_released(db: Database) -> None:
    await accepted(db, submission())
    record = await claimed(db)
    assert record is not None
    await db.write(lambda conn: claims.finish(conn, record, Step(State.FAILED, "worker", NOW, "E_X"), None))
    release = await taken_up(db, NOW)
    assert release is not None
    assert release.actor == "ada"
    await db.write(lambda conn: strategies.released(conn, release, NOW))
    assert not (await db.read(lambda conn: strategies.get(conn, record.strategy_id))).release_pending
    assert not await db.read(lambda conn: releases.any_due(conn, NOW + TTL))


async def test_release_is_done_again_once_no_worker_can_bind_any_more(db: Database) -> None:
    await accepted(db, submission())
    record = await claimed(db)
    assert record is not None
    await db.write(lambda conn: strategies.cancel(conn, record.strategy_id, Step(State.CANCELED, "bob", NOW)))
    first = await taken_up(db, NOW)
    assert first is not None
    assert (first.actor, first.settle_at) == ("bob", NOW + TTL)
    await db.write(lambda conn: strategies.released(conn, first, NOW))
    assert (await db.read(lambda conn: strategies.get(conn, record.strategy_id))).release_pending
    assert await taken_up(db, NOW) is None
    await db.write(lambda conn: claims.lost(conn, record, NOW))
    second = await taken_up(db, NOW)
    assert second is not None
    await db.write(lambda conn: strategies.released(conn, second, NOW))
    assert not (await db.read(lambda conn: strategies.get(conn, record.strategy_id))).release_pending


@pytest.mark.parametrize("ended", [State.CANCELED, State.FAILED])
async def test_worker_that_outlives_its_claim_and_the_release_has_it_released_again(db: Database, ended: State) -> None:
    await accepted(db, submission())
    late = await claimed(db)
    other = await claimed(db, NOW + TTL)
    assert late is not None
    assert other is not None
    step = Step(ended, "bob", NOW + TTL)
    if ended is State.CANCELED:
        await db.write(lambda conn: strategies.cancel(conn, late.strategy_id, step))
    else:
        await db.write(lambda conn: claims.finish(conn, other, step, None))
    release = await taken_up(db, NOW + 2 * TTL)
    assert release is not None
    await db.write(lambda conn: strategies.released(conn, release, NOW + 2 * TTL))
    assert await db.read(releases.pending) == 0
    await db.write(lambda conn: claims.lost(conn, late, NOW + 2 * TTL))
    again = await taken_up(db, NOW + 2 * TTL)
    assert again is not None
    assert (again.strategy_id, again.settle_at) == (late.strategy_id, NOW + 2 * TTL)


async def test_worker_that_outlives_its_claim_leaves_a_live_strategy_alone(db: Database) -> None:
    await accepted(db, submission())
    late = await claimed(db)
    other = await claimed(db, NOW + TTL)
    assert late is not None
    assert other is not None
    await db.write(lambda conn: claims.lost(conn, late, NOW + TTL))
    await db.write(
        lambda conn: claims.finish(conn, other, Step(State.COMPLETED, "worker", NOW + TTL), Outcome("", 1, b"", {}))
    )
    await db.write(lambda conn: claims.lost(conn, late, NOW + TTL))
    assert await db.read(releases.pending) == 0


async def test_release_that_ran_out_goes_to_another_and_the_first_changes_nothing_more(db: Database) -> None:
    record = await accepted(db, submission())
    await db.write(lambda conn: strategies.cancel(conn, record.strategy_id, Step(State.CANCELED, "bob", NOW)))
    first = await taken_up(db, NOW)
    second = await taken_up(db, NOW + TTL)
    assert first is not None
    assert second is not None
    await db.write(lambda conn: strategies.released(conn, first, NOW + TTL))
    assert (await db.read(lambda conn: strategies.get(conn, record.strategy_id))).release_pending
    await db.write(lambda conn: releases.again(conn, second, NOW + 2 * TTL, "away"))
    assert await db.read(releases.pending) == 1


async def test_pages_follow_each_other_without_gap(db: Database) -> None:
    for number in range(5):
        entry = submission(f"r{number}", dag=f"blake3:{number}")
        at = NOW + timedelta(seconds=number // 2)
        await db.write(partial(strategies.accept, submission=entry, at=at, limits=QueueLimits(100)))
    seen: list[str] = []
    page: Page[tuple[int, str]] = Page(2)
    while rows := (await db.read(partial(strategies.page, world_id="w1", state=None, page=page)))[:2]:
        seen += [row.request_id for row in rows]
        page = Page(2, strategies.key_of(rows[-1]))
    assert len(seen) == 5
    assert len(set(seen)) == 5


async def test_unknown_strategy(db: Database) -> None:
    with pytest.raises(NotFound):
        await db.read(lambda conn: strategies.get(conn, "s-none"))


async def test_what_was_stored_before_the_clock_was_set_back_is_due_at_the_next_start(db: Database) -> None:
    await accepted(db, submission("r1"))
    await accepted(db, submission("r2", dag="blake3:bb"))
    held, back = await claimed(db), await claimed(db)
    assert held is not None
    assert back is not None
    step = Step(State.QUEUED, "worker", NOW, "E_X")
    await db.write(lambda conn: claims.put_back(conn, back, step, NOW + timedelta(seconds=5)))
    earlier = NOW - timedelta(hours=1)
    assert await claimed(db, earlier) is None
    assert await db.write(lambda conn: claims.clamp(conn, NOW)) == 0
    assert await db.write(lambda conn: claims.clamp(conn, earlier)) >= 2
    again = {record.strategy_id for record in (await claimed(db, earlier), await claimed(db, earlier)) if record}
    assert again == {held.strategy_id, back.strategy_id}


async def test_assignments_beyond_every_part_are_none(db: Database) -> None:
    """A page may begin anywhere a token can say, farther than the number of a part can be."""
    assert await db.read(lambda conn: strategies.assignments_of(conn, "s-1", "w1", 2**60, 2)) == []


async def test_how_often_a_submission_waits_for_its_store(postgres_url: str) -> None:
    """What is known of it, its places and its revisions, the commit; then its claim, its revision, the commit."""
    async with counted_trips(postgres_url) as trips:
        db = Database(trips.url, pool_size=1)
        limits, claim = QueueLimits(100), Claim("here", NOW + TTL)
        await db.write(lambda conn: strategies.accept(conn, submission(), NOW, limits, claim))
        before = trips.count
        entry = submission("r2", "blake3:bb")
        record, _ = await db.write(lambda conn: strategies.accept(conn, entry, NOW, limits, claim))
        assert trips.count - before == 3
        done = Outcome("s", 1, b"x", {"w1": (b"a",)})
        await db.write(lambda conn: claims.finish(conn, record, Step(State.COMPLETED, "w", NOW), done))
        assert trips.count - before == 6
        await db.close()
