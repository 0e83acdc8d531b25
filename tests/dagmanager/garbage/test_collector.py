"""Garbage collection drops exactly what it should: a table of cases, on real records in a real JetStream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]  # ships no types

from controlbus.bus import Bus, connected
from dagmanager.garbage import store as garbage_store
from dagmanager.garbage.collector import LOCK
from dagmanager.garbage.domain import Kept
from dagmanager.garbage.store import Condemned
from dagmanager.queues import records
from dagmanager.tables import artifacts, nodes, purges, queues
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import Exhausted, NotReady, Unavailable
from qmtl.core.identity.nodes import QueueClass
from qmtl.dag.v1 import queue_pb2 as queuepb
from tests.dagmanager.garbage.collection import CollectorHarness, after
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import NOW, context, node, tag_query_node
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

RAW, INDICATOR, TRADE = QueueClass.RAW, QueueClass.INDICATOR, QueueClass.TRADE


class Forgetful(MemoryFileSystem):  # type: ignore[misc]  # its base has no types
    """Stores other bytes than it was given, of the same length."""

    protocol = "forgetful"
    store: dict[str, Any] = {}  # noqa: RUF012 - as the base declares it

    def pipe_file(self, path: str, value: bytes, **words: object) -> None:
        super().pipe_file(path, value[:40] + bytes(len(value) - 48) + value[-8:], **words)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as bus:
        yield bus


@pytest.fixture
def harness(graph_store: GraphStore, bus: Bus, tmp_path: Path) -> CollectorHarness:
    return CollectorHarness(graph_store, bus, tmp_path / "graph")


CASES = [
    (RAW, 8 * 86_400 - 1, Kept.NOT_DUE),
    (RAW, 8 * 86_400, None),
    (INDICATOR, 33 * 86_400 - 1, Kept.NOT_DUE),
    (INDICATOR, 33 * 86_400, None),
    (TRADE, 97 * 86_400 - 1, Kept.NOT_DUE),
    (TRADE, 97 * 86_400, None),
]


@pytest.mark.parametrize(("queue_class", "seconds", "kept"), CASES)
async def test_each_class_goes_after_its_own_time(
    harness: CollectorHarness, queue_class: QueueClass, seconds: int, kept: Kept | None
) -> None:
    queue = await harness.queue("q", queue_class)
    await harness.write(queue, 0, 3)
    await harness.release("q")
    seen = await harness.collector.collect([queue.compute_key], after(seconds=seconds))
    assert seen.skipped.get(queue.compute_key) == kept
    assert (seen.observed, seen.processed) == (1, 0 if kept else 1)
    assert await harness.records(queue) == (1 if kept else 0)
    expected = queuepb.QUEUE_STATE_RELEASED if kept else queuepb.QUEUE_STATE_DROPPED
    assert (await harness.state(queue)).state == expected


async def test_a_round_over_all_takes_what_is_due_and_nothing_else(harness: CollectorHarness) -> None:
    made = {name: await harness.queue(name, RAW) for name in ("due", "young", "live", "shared", "strange")}
    await harness.take_up("sharer", node("shared", queue_class=RAW))
    for name, queue in made.items():
        await harness.write(queue, 0, 1)
        if name != "live":
            await harness.release(name, after(days=7).now if name == "young" else NOW)
    await harness.graph_store.write(lambda conn: conn.execute(_reclassified(made["strange"].compute_key)))
    looked = await harness.collector.look((), after(days=8))
    assert (looked.observed, [each.compute_key for each in looked.candidates]) == (3, [made["due"].compute_key])
    assert await harness.records(made["due"]) == 1
    seen = await harness.collector.collect((), after(days=8))
    assert (seen.observed, len(seen.candidates), seen.processed) == (3, 1, 1)
    assert seen.skipped == {made["strange"].compute_key: Kept.UNKNOWN_CLASS}
    assert {name: await harness.records(queue) for name, queue in made.items()} == {
        "due": 0, "young": 1, "live": 1, "shared": 1, "strange": 1
    }  # fmt: skip


def _reclassified(compute_key: str) -> sa.Update:
    of = sa.select(queues.c.node_id).where(queues.c.compute_key == compute_key).scalar_subquery()
    return sa.update(nodes).where(nodes.c.node_id == of).values(queue_class="EXOTIC")


async def test_names_are_answered_one_by_one(harness: CollectorHarness) -> None:
    live, gone = await harness.queue("live", RAW), await harness.queue("gone", RAW)
    await harness.release("gone")
    await harness.collector.collect([gone.compute_key], after(days=8))
    asked = [live.compute_key, gone.compute_key, "blake3:0"]
    seen = await harness.collector.collect(asked, after(days=9))
    assert seen.skipped == {
        live.compute_key: Kept.IN_USE, gone.compute_key: Kept.DROPPED_BEFORE, "blake3:0": Kept.QUEUE_UNKNOWN
    }  # fmt: skip
    assert seen.processed == 0


async def test_a_trade_queue_is_archived_before_it_is_dropped(harness: CollectorHarness) -> None:
    queue = await harness.queue("q")
    await harness.write(queue, 0, 3)
    await harness.write(queue, 4, 5)
    await harness.release("q")
    seen = await harness.collector.collect((), after(days=97))
    ((used_by, artifact),) = seen.archives
    table = pq.read_table(artifact.path)
    assert (table["bucket"].to_pylist(), used_by) == (list(range(6)), queue.compute_key)
    assert table["qmtl_from"].to_pylist()[4].timestamp() == (NOW.timestamp() + 4 * 900)
    assert await harness.records(queue) == 0
    rows = await harness.graph_store.db.read(lambda conn: conn.execute(sa.select(artifacts)).all())
    assert [(row.path, row.checksum) for row in rows] == [(artifact.path, artifact.checksum)]


@pytest.mark.parametrize("counted", [5, 3, 0])
async def test_a_row_count_that_does_not_verify_keeps_the_queue(
    harness: CollectorHarness, counted: int, tmp_path: Path
) -> None:
    queue = await harness.queue("q")
    await harness.write(queue, 0, 3, counted=counted)
    await harness.release("q")
    seen = await harness.collector.collect((), after(days=97))
    assert seen.skipped == {queue.compute_key: Kept.ARCHIVE_INCOMPLETE}
    assert (await harness.records(queue), seen.archives) == (1, [])
    assert (await harness.state(queue)).state == queuepb.QUEUE_STATE_RELEASED
    assert files_below(tmp_path) == []


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".parquet"]


async def test_buckets_that_do_not_verify_keep_the_queue(harness: CollectorHarness) -> None:
    queue = await harness.queue("q")
    await harness.write(queue, 0, 3)
    shifted = sa.update(queues).values(first_bucket_us=queues.c.first_bucket_us + 1)
    await harness.graph_store.write(lambda conn: conn.execute(shifted))
    await harness.release("q")
    seen = await harness.collector.collect((), after(days=97))
    assert seen.skipped == {queue.compute_key: Kept.ARCHIVE_INCOMPLETE}


async def test_records_the_broker_lost_keep_the_queue(harness: CollectorHarness) -> None:
    emptied, beheaded = await harness.queue("emptied"), await harness.queue("beheaded")
    for queue in (emptied, beheaded):
        first = await harness.write(queue, 0, 1)
        last = await harness.write(queue, 2, 3)
        until = last if queue is emptied else first
        await harness.bus.link.js.purge_stream(queue.stream, seq=until + 1, subject=queue.subject)
    await harness.release("emptied")
    await harness.release("beheaded")
    seen = await harness.collector.collect((), after(days=97))
    assert set(seen.skipped.values()) == {Kept.ARCHIVE_INCOMPLETE}
    assert (len(seen.skipped), await harness.records(beheaded)) == (2, 1)


@pytest.mark.parametrize("root", ["forgetful://archive", "/dev/null/archive", "nosuch://archive"])
async def test_an_archive_that_cannot_be_kept_keeps_the_queue(graph_store: GraphStore, bus: Bus, root: str) -> None:
    fsspec.register_implementation("forgetful", Forgetful, clobber=True)
    harness = CollectorHarness(graph_store, bus, root)
    queue = await harness.queue("q")
    await harness.write(queue, 0, 3)
    await harness.release("q")
    seen = await harness.collector.collect((), after(days=97))
    assert seen.skipped == {queue.compute_key: Kept.ARCHIVE_FAILED}
    assert (await harness.records(queue), await graph_store.count(artifacts)) == (1, 0)


async def test_what_is_too_large_or_no_arrow_is_kept(graph_store: GraphStore, bus: Bus, tmp_path: Path) -> None:
    small = CollectorHarness(graph_store, bus, tmp_path, archive_bytes_max=10)
    queue = await small.queue("q")
    await small.write(queue, 0, 3)
    await small.release("q")
    seen = await small.collector.collect((), after(days=97))
    assert seen.skipped == {queue.compute_key: Kept.ARCHIVE_TOO_LARGE}


async def test_records_above_the_limit_are_not_read_to_the_end(harness: CollectorHarness) -> None:
    queue = await harness.queue("q")
    last = await harness.write(queue, 0, 3)
    assert len(await records.read_all(harness.bus, queue, last, 1 << 20)) == 1
    with pytest.raises(Exhausted, match="E_ARCHIVE_TOO_LARGE"):
        await records.read_all(harness.bus, queue, last, 10)


async def test_two_processes_never_collect_at_once(harness: CollectorHarness) -> None:
    held = await harness.graph_store.db.try_lock(LOCK)
    assert held is not None
    try:
        with pytest.raises(Unavailable, match="E_GARBAGE_BUSY"):
            await harness.collector.collect((), after(days=97))
    finally:
        held.release()
    assert (await harness.collector.collect((), after(days=97))).processed == 0


async def test_an_empty_queue_needs_no_file(harness: CollectorHarness) -> None:
    await harness.queue("q")
    await harness.release("q")
    seen = await harness.collector.collect((), after(days=97))
    assert (seen.processed, seen.archives) == (1, [])


async def test_foreign_records_are_never_touched(harness: CollectorHarness) -> None:
    """A neighbour in the same world, another stream's subject, and a key that shares our subject's 64 bits."""
    ours, neighbour, twin = [await harness.queue(name, RAW) for name in ("ours", "neighbour", "twin")]
    await harness.write(ours, 0, 1)
    await harness.write(neighbour, 0, 1)
    impostor = "blake3:" + twin.compute_key[7:23] + "0" * 48
    body = b"\x0a" + bytes([len(impostor)]) + impostor.encode()
    await harness.bus.publish(twin.subject, body, msg_id=impostor)
    await harness.bus.publish(
        f"qmtl.data.raw.{harness.world}.BACKTEST.manual", b"by hand", msg_id=f"hand-{harness.world}"
    )
    for name in ("ours", "twin"):
        await harness.release(name)
    seen = await harness.collector.collect((), after(days=8))
    assert seen.skipped == {twin.compute_key: Kept.FOREIGN_RECORDS}
    assert [await harness.records(queue) for queue in (ours, neighbour, twin)] == [0, 1, 1]
    assert await harness.held(f"qmtl.data.raw.{harness.world}.BACKTEST.manual", "DATA_RAW") == 1


async def test_what_failed_waits_an_hour_and_does_not_fill_the_batch(
    graph_store: GraphStore, bus: Bus, tmp_path: Path
) -> None:
    harness = CollectorHarness(graph_store, bus, tmp_path, batch=1)
    stuck = await harness.queue("stuck")
    await harness.write(stuck, 0, 3, counted=9)
    await harness.release("stuck")
    for name in ("next", "last"):
        await harness.queue(name)
        await harness.release(name, after(seconds=1).now)
    rounds = [
        await harness.collector.collect((), after(days=98, minutes=minutes), tried_before=False) for minutes in range(3)
    ]
    assert [each.processed for each in rounds] == [0, 1, 1]
    assert list(rounds[0].skipped.values()).count(Kept.BATCH_FULL) == 2
    again = await harness.collector.collect((), after(days=98, hours=2), tried_before=False)
    assert again.skipped == {stuck.compute_key: Kept.ARCHIVE_INCOMPLETE}
    asked = await harness.collector.look((), after(days=98, hours=2, minutes=1))
    assert [each.compute_key for each in asked.candidates] == [stuck.compute_key]


async def test_high_broker_storage_halves_the_batch(graph_store: GraphStore, bus: Bus, tmp_path: Path) -> None:
    harness = CollectorHarness(graph_store, bus, tmp_path, batch=4, storage_bytes_max=1)
    for index in range(4):
        await harness.queue(f"q{index}", RAW)
        await harness.release(f"q{index}")
    await harness.write(await harness.queue("full", RAW), 0, 1)
    assert (await harness.collector.collect((), after(days=8))).processed == 2


async def test_without_a_broker_nothing_is_dropped(
    graph_store: GraphStore, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with connected(nats_server.url, service="t") as bus:
        harness = CollectorHarness(graph_store, bus, tmp_path)
        queue = await harness.queue("q", RAW)
        await harness.release("q")
        nats_server.kill()
        with pytest.raises(Unavailable):
            await harness.collector.collect((), after(days=8))
        assert (await harness.state(queue)).state == queuepb.QUEUE_STATE_RELEASED
        assert len((await harness.collector.look((), after(days=8))).candidates) == 1


async def test_what_was_taken_up_meanwhile_stays(harness: CollectorHarness) -> None:
    """Judged due, and then, before the drop, a diff takes it up; or a straggler reports one more row."""
    revived, written = await harness.queue("revived", RAW), await harness.queue("written", RAW)
    await harness.release("revived")
    await harness.release("written")
    seen = await harness.collector.look((), after(days=8))
    await harness.take_up("revived", node("revived", queue_class=RAW))
    await harness.write(written, 0, 1)
    condemned = [Condemned(each, 99) for each in seen.candidates]
    kept = await harness.graph_store.write(lambda conn: garbage_store.drop(conn, condemned, after(days=8)))
    assert kept == {revived.compute_key: Kept.CHANGED, written.compute_key: Kept.CHANGED}
    assert await harness.graph_store.count(purges) == 0


async def test_records_of_a_queues_next_life_survive_a_late_purge(harness: CollectorHarness) -> None:
    """The process dies between commit and purge, a diff takes the queue up, a producer writes: only then the purge."""
    queue = await harness.queue("q", RAW)
    last = await harness.write(queue, 0, 3)
    await harness.release("q")
    (candidate,) = (await harness.collector.look((), after(days=8))).candidates
    await harness.graph_store.write(lambda conn: garbage_store.drop(conn, [Condemned(candidate, last)], after(days=8)))
    with pytest.raises(NotReady):
        await harness.write(queue, 4, 4)
    assert await harness.take_up("q", node("q", queue_class=RAW)) == queue
    found = await harness.state(queue)
    assert (found.state, found.rows, found.HasField("last_bucket")) == (queuepb.QUEUE_STATE_ACTIVE, 0, False)
    await harness.write(queue, 5, 5)
    assert await harness.records(queue) == 3
    await harness.collector.collect((), after(days=8))
    assert await harness.records(queue) == 2
    assert await harness.graph_store.count(purges) == 0


async def test_events_tell_of_the_end_and_then_of_the_set(harness: CollectorHarness) -> None:
    await harness.graph_store.diff([tag_query_node(["btc"])], "asker", [context(harness.world)], decline=True)
    queue = await harness.queue("q", tags=["btc"])
    await harness.queue("other", RAW, tags=["btc"])
    await harness.write(queue, 0, 1)
    await harness.release("q")
    await harness.collector.collect((), after(days=97))
    told = [event for event in await harness.graph_store.events() if event.key == queue.compute_key]
    steps = [(event.queue_lifecycle.step, event.revision) for event in told]
    assert steps == [
        (controlpb.QUEUE_LIFECYCLE_STEP_ARCHIVED, 1), (controlpb.QUEUE_LIFECYCLE_STEP_DROPPED, 2)
    ]  # fmt: skip
    assert (await harness.graph_store.events())[-1].HasField("queue_updated")
    sets = [event for event in await harness.graph_store.events() if event.HasField("queue_updated")]
    assert [event.revision for event in sets] == [1, 2, 3, 4, 5]
    assert [len(event.queue_updated.queues) for event in sets] == [0, 1, 2, 1, 1]


async def test_the_background_rounds_go_on_whatever_the_broker_does(
    graph_store: GraphStore, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with connected(nats_server.url, service="t") as bus:
        harness = CollectorHarness(graph_store, bus, tmp_path)
        queue = await harness.queue("q", RAW)
        await harness.release("q", after(days=-8).now)
        nats_server.kill()
        task = asyncio.create_task(harness.collector.run(60))
        await tick(harness)
        assert (await harness.state(queue)).state == queuepb.QUEUE_STATE_RELEASED
        nats_server.start()
        await bus.wait_ready(15)
        await tick(harness)
        assert (await harness.state(queue)).state == queuepb.QUEUE_STATE_DROPPED
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def tick(harness: CollectorHarness) -> None:
    """One interval, and the round that follows it."""
    await eventually(lambda: harness.clock.sleepers == 1)
    harness.clock.advance(60)
    await eventually(lambda: harness.clock.sleepers == 1)
