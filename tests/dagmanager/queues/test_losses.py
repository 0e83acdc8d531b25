"""A broker that lost its store, or got an older one back: what is gone is named until it is written again."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from controlbus.bus import Bus
from dagmanager.queues.domain.losses import Extent, Loss, loss_before, loss_behind
from dagmanager.queues.losses import RecordLosses
from dagmanager.status import count
from dagmanager.tables import purges
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.identity.nodes import QueueClass
from qmtl.sql.database import Database
from tests.dagmanager.garbage.collection import BAR, CollectorHarness
from tests.dagmanager.graph_store import CAUSE, GraphStore
from tests.dagmanager.graphs import NOW
from tests.support.nats import NatsServer

LOST = controlpb.QUEUE_LIFECYCLE_STEP_RECORDS_LOST
RECOMPUTED = controlpb.QUEUE_LIFECYCLE_STEP_RECOMPUTED


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    made = await Bus.connect(nats_server.url, service="dagmanager")
    try:
        await made.wait_ready(10)
        yield made
    finally:
        await made.close()


@pytest.fixture
def harness(graph_store: GraphStore, bus: Bus, tmp_path: Path) -> CollectorHarness:
    return CollectorHarness(graph_store, bus, tmp_path / "files")


async def restarted(server: NatsServer, bus: Bus, meanwhile: Callable[[Path], object] = Path.exists) -> None:
    """The broker ends and comes back; `meanwhile` its store is at hand."""
    generation = bus.link.generation
    server.kill()
    meanwhile(server.folder / "store")
    server.start()
    while bus.link.generation == generation:
        await bus.link.wait_change(generation)
        await bus.link.wait_up()
    await bus.wait_ready(10)


async def steps(graph_store: GraphStore) -> list[tuple[int, str]]:
    found = [event.queue_lifecycle for event in await graph_store.events() if event.HasField("queue_lifecycle")]
    return [(each.step, each.compute_key) for each in found]


async def lost_queues(graph_store: GraphStore) -> int:
    return (await graph_store.db.read(count)).lost


async def test_records_of_a_removed_store_are_named_and_counted_again(
    harness: CollectorHarness, nats_server: NatsServer
) -> None:
    losses = RecordLosses(harness.graph_store.db, harness.bus, harness.clock)
    whole, empty = await harness.queue("whole", QueueClass.INDICATOR), await harness.queue("empty", QueueClass.RAW)
    assert await losses.look() == 0
    await harness.write(whole, 0, 9)
    assert await losses.look() == 0
    await restarted(nats_server, harness.bus, shutil.rmtree)
    assert [await losses.look(), await losses.look(), await losses.look()] == [1, 0, 0]
    gone = await harness.state(whole)
    assert (gone.rows, gone.HasField("first_bucket"), gone.HasField("last_bucket")) == (0, False, False)
    assert (gone.lost_first_bucket.ToDatetime(NOW.tzinfo), gone.lost_last_bucket.ToDatetime(NOW.tzinfo)) == (
        NOW,
        NOW + 9 * BAR,
    )
    assert not (await harness.state(empty)).HasField("lost_last_bucket")
    assert (await steps(harness.graph_store), await lost_queues(harness.graph_store)) == (
        [(LOST, whole.compute_key)],
        1,
    )
    await harness.write(whole, 0, 5)
    assert await lost_queues(harness.graph_store) == 1
    await harness.write(whole, 6, 9)
    assert await lost_queues(harness.graph_store) == 0
    assert await steps(harness.graph_store) == [(LOST, whole.compute_key), (RECOMPUTED, whole.compute_key)]
    assert (await harness.state(whole)).rows == 10


async def test_who_writes_on_in_a_store_that_was_made_anew_hides_no_loss(
    harness: CollectorHarness, nats_server: NatsServer
) -> None:
    """Before the look at the broker, and before the report of what was written has come."""
    losses = RecordLosses(harness.graph_store.db, harness.bus, harness.clock)
    on, late = await harness.queue("on", QueueClass.RAW), await harness.queue("late", QueueClass.RAW)
    for queue in (on, late):
        await harness.write(queue, 0, 9)
    assert await losses.look() == 0
    await restarted(nats_server, harness.bus, shutil.rmtree)
    await harness.write(on, 10, 12)
    await harness.write(late, 10, 12, counted=0)
    assert [await losses.look(), await losses.look(), await losses.look()] == [2, 0, 0]
    left, gone = await harness.state(on), await harness.state(late)
    assert (left.rows, gone.rows, gone.HasField("first_bucket")) == (3, 0, False)
    assert (left.first_bucket.ToDatetime(NOW.tzinfo), left.last_bucket.ToDatetime(NOW.tzinfo)) == (
        NOW + 10 * BAR,
        NOW + 12 * BAR,
    )
    for told in (left, gone):
        assert told.lost_first_bucket.ToDatetime(NOW.tzinfo) == NOW
        assert told.lost_last_bucket.ToDatetime(NOW.tzinfo) == NOW + 9 * BAR
    assert await lost_queues(harness.graph_store) == 2


@pytest.mark.parametrize(
    ("begin", "interval", "loss"),
    [
        (130, 10, Loss(None, 100, 120)),
        (120, 10, Loss(Extent(120, 120, 1, 10), 100, 110)),
        (110, 10, Loss(Extent(110, 120, 2, 10), 100, 100)),
        (115, 0, Loss(Extent(115, 120, 4, 0), 100, 115)),
    ],
)
def test_what_is_left_when_the_records_begin_later_than_counted(begin: int, interval: int, loss: Loss) -> None:
    assert loss_before(Extent(100, 120, 4, interval), begin) == loss


async def test_an_older_copy_of_the_store_lacks_what_came_after_it(
    harness: CollectorHarness, nats_server: NatsServer, tmp_path: Path
) -> None:
    losses = RecordLosses(harness.graph_store.db, harness.bus, harness.clock)
    early, late = await harness.queue("early", QueueClass.TRADE), await harness.queue("late", QueueClass.TRADE)
    await harness.write(early, 0, 3)
    await harness.write(late, 0, 3)
    copy = tmp_path / "copy"

    def put_back(store: Path) -> None:
        shutil.rmtree(store)
        shutil.copytree(copy, store)

    await restarted(nats_server, harness.bus, lambda store: shutil.copytree(store, copy))
    assert await losses.look() == 0
    await harness.write(late, 4, 9)
    await harness.graph_store.write(
        lambda conn: conn.execute(sa.insert(purges).values(compute_key="k", queue_class="TRADE", world_id="w",
                                                            execution_domain="BACKTEST", last_sequence=3))
    )  # fmt: skip
    assert await losses.look() == 0
    await restarted(nats_server, harness.bus, put_back)
    assert await losses.look() == 1
    left = await harness.state(late)
    assert (left.rows, left.first_bucket.ToDatetime(NOW.tzinfo)) == (4, NOW)
    assert left.last_bucket.ToDatetime(NOW.tzinfo) == NOW + 3 * BAR
    assert left.lost_first_bucket.ToDatetime(NOW.tzinfo) == NOW + 4 * BAR
    assert (await harness.state(early)).rows == 4
    pending = await harness.graph_store.db.read(
        lambda conn: conn.execute(sa.select(purges.c.last_sequence)).scalar_one()
    )
    assert pending == 2  # what follows in the stream is not what was to be removed


async def test_a_purge_of_a_removed_store_removes_nothing_of_the_next(
    harness: CollectorHarness, nats_server: NatsServer
) -> None:
    queue = await harness.queue("again", QueueClass.INDICATOR)
    for first in (0, 2, 4):
        await harness.write(queue, first, first + 1)
    await harness.collector.collect((), CAUSE)
    await harness.graph_store.write(
        lambda conn: conn.execute(sa.insert(purges).values(compute_key=queue.compute_key, queue_class="INDICATOR",
                                                            world_id=queue.world_id, execution_domain=queue.domain,
                                                            last_sequence=3))
    )  # fmt: skip
    await restarted(nats_server, harness.bus, shutil.rmtree)
    await harness.write(queue, 6, 7)
    await harness.collector.collect((), CAUSE)
    assert await harness.records(queue) == 1


async def test_a_restart_of_the_broker_loses_nothing(harness: CollectorHarness, nats_server: NatsServer) -> None:
    losses = RecordLosses(harness.graph_store.db, harness.bus, harness.clock)
    queue = await harness.queue("kept", QueueClass.RAW)
    await harness.write(queue, 0, 9)
    assert await losses.look() == 0
    await restarted(nats_server, harness.bus)
    assert await losses.look() == 0
    assert (await harness.state(queue)).rows == 10


@pytest.mark.parametrize(
    ("end", "interval", "kept", "lost_from"),
    [
        (None, 10, None, 100),
        (90, 10, None, 100),
        (100, 10, Extent(100, 100, 2, 10), 110),
        (110, 10, Extent(100, 110, 3, 10), 120),
        (115, 0, Extent(100, 115, 4, 0), 115),
    ],
)
def test_what_is_left_and_where_the_loss_begins(
    end: int | None, interval: int, kept: Extent | None, lost_from: int
) -> None:
    assert loss_behind(Extent(100, 120, 4, interval), end) == Loss(kept, lost_from, 120)


async def test_looks_beside_one_another_find_nothing_lost(harness: CollectorHarness, database_url: str) -> None:
    """Garbage collection looks beside the work that looks for ever: one may keep a mark while another waits to read."""
    queue = await harness.queue("busy", next(iter(QueueClass)))
    slow, may_read = Database(database_url, pool_size=1), threading.Event()
    held = asyncio.create_task(slow.read(lambda conn: may_read.wait()))
    quick, late = (RecordLosses(db, harness.bus, harness.clock) for db in (harness.graph_store.db, slow))
    try:
        with capture_logs() as told:
            looking = asyncio.create_task(late.look())
            await quick.look()
            await harness.write(queue, 0, 9)
            await quick.look()
            may_read.set()
            assert await looking == 0
    finally:
        may_read.set()
        await held
        await slow.close()
    assert [entry for entry in told if entry["event"] == "record_stream_lost"] == []
