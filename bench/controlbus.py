"""Latency from a commit to a handler through outbox, relay and bus, against bare JetStream in the same run.

    python -m bench.controlbus [events]        # prints p50, p99 and events/s of each path, and the ratios

All paths use one nats-server with file storage on loopback and one asyncio loop. "bare" publishes with the stream's
acknowledgement and reads with a pull consumer; "outbox" commits to SQLite (synchronous as given) and is done when the
subscriber has the event in hand. "records" appends batches of 4 KiB to one data queue, each with its acknowledgement,
then reads them back and looks for buckets.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from controlbus.bus import Bus, connected
from controlbus.events.control_event import ControlEventDraft, number
from controlbus.jetstream.pull_consumer import Puller
from controlbus.outbox.outbox import outbox_tables
from controlbus.outbox.relay import Relay
from controlbus.records.data_queue import DataQueue, From, find_bucket
from controlbus.records.records import RecordWriter, read_records
from qmtl.cli.local.nats_server import nats_binary
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sql.database import Database

PORT = 17706
KEYS = 64
OUTBOX = outbox_tables(sa.MetaData())
Publish = Callable[[str], Awaitable[None]]
Heard = Callable[[], Awaitable[None]]

MIGRATION = """
from alembic import op
from controlbus.outbox.outbox import create_tables
revision = "0001"
down_revision = None
def upgrade():
    create_tables(op)
"""


def draft(key: str) -> ControlEventDraft:
    return ControlEventDraft("bench", key, controlpb.PolicyUpdated(world_id=key), datetime.now(UTC))


@asynccontextmanager
async def bare(bus: Bus) -> AsyncIterator[tuple[Publish, Heard]]:
    """What JetStream itself costs: a publish with its acknowledgement, a pull consumer, explicit acks."""
    config = ConsumerConfig(
        name="bare", filter_subject="qmtl.ingest.>", ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.NEW
    )
    await bus.link.js.add_consumer("INGEST", config)
    body = number(draft("k"), 1).SerializeToString()
    async with Puller(bus.link, "INGEST", "bare", 128) as puller:

        async def publish(key: str) -> None:
            await bus.publish(f"qmtl.ingest.{key}", body, msg_id=f"{key}-{time.perf_counter_ns()}")

        async def heard() -> None:
            await (await puller.next()).ack()

        yield publish, heard


@asynccontextmanager
async def through_outbox(bus: Bus, folder: Path, synchronous: str) -> AsyncIterator[tuple[Publish, Heard]]:
    db = Database(f"sqlite:///{folder / f'{synchronous}.db'}", synchronous=synchronous)
    await db.migrate(str(folder / "migrations"))
    relay = Relay(db, OUTBOX, bus, f"bench-{synchronous}", SystemClock())
    task = asyncio.create_task(relay.run())
    async with bus.subscribe(["policy_updated"]) as deliveries:

        async def publish(key: str) -> None:
            await db.write(partial(OUTBOX.append, draft=draft(f"{synchronous}-{key}")))

        async def heard() -> None:
            await (await anext(deliveries)).ack()

        yield publish, heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await db.close()


async def latencies(publish: Publish, heard: Heard, count: int) -> list[float]:
    """One at a time: from the call that publishes to the handler, in ms."""
    found = []
    for i in range(count + 20):
        begin = time.perf_counter()
        publishing = asyncio.ensure_future(publish(f"k{i % KEYS}"))
        await heard()
        found.append((time.perf_counter() - begin) * 1e3)
        await publishing
    return found[20:]


async def rate(publish: Publish, heard: Heard, count: int) -> float:
    """Events per second with 64 publishers."""
    begin = time.perf_counter()

    async def publisher(key: str) -> None:
        for _ in range(count // KEYS):
            await publish(key)

    async with asyncio.TaskGroup() as group:
        for i in range(KEYS):
            group.create_task(publisher(f"r{i}"))
        for _ in range(count // KEYS * KEYS):
            await heard()
    return count / (time.perf_counter() - begin)


async def records(bus: Bus, count: int) -> str:
    queue = DataQueue(f"blake3:{'0' * 64}", "indicator", "bench", "BACKTEST")
    writer = await RecordWriter.open(bus, queue, 1)
    begin = time.perf_counter()
    for minute in range(count):
        batch = recordspb.RecordBatch(
            compute_key=queue.compute_key, writer_epoch=1, input_window_hash="blake3:0", arrow_ipc=b"x" * 4096
        )
        for stamp in (batch.start_time, batch.end_time):
            stamp.FromSeconds(60 * minute)
        await writer.publish(batch)
    written = time.perf_counter()
    async with aclosing(read_records(bus, queue, From.bucket(datetime.fromtimestamp(0, UTC)))) as found:
        for _ in range(count):
            await anext(found)
    was_read = time.perf_counter()
    for minute in range(0, count, count // 50):
        await find_bucket(bus, queue, 60_000_000_000 * minute)
    find_ms = (time.perf_counter() - was_read) * 1e3 / 50
    return (
        f"records        {count / (written - begin):.0f} batches/s written, "
        f"{count / (was_read - written):.0f} batches/s read, {find_ms:.1f} ms to find a bucket\n"
    )


async def measure(url: str, folder: Path, count: int) -> None:
    results = {}
    async with connected(url, service="bench") as bus:
        paths = [
            ("bare", bare(bus)),
            ("outbox NORMAL", through_outbox(bus, folder, "NORMAL")),
            ("outbox FULL", through_outbox(bus, folder, "FULL")),
        ]
        for name, path in paths:
            async with path as (publish, heard):
                times = await latencies(publish, heard, count)
                cuts = statistics.quantiles(times, n=100)
                results[name] = (cuts[49], cuts[98], await rate(publish, heard, 4 * count))
        sys.stdout.write(await records(bus, 4 * count))
    base = results["bare"]
    for name, (p50, p99, per_s) in results.items():
        ratios = f"x{p50 / base[0]:.1f} p50, x{p99 / base[1]:.1f} p99, x{per_s / base[2]:.2f} rate"
        sys.stdout.write(f"{name:14} p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  {per_s:7.0f} events/s   {ratios}\n")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    folder = Path(tempfile.mkdtemp(prefix="qmtl-bench-"))
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "versions" / "0001.py").write_text(MIGRATION)
    binary = nats_binary()
    args = [binary, "-a", "127.0.0.1", "-p", str(PORT), "-js", "-sd", str(folder / "nats"), "-l", str(folder / "log")]
    server = subprocess.Popen(args)
    try:
        asyncio.run(measure(f"nats://127.0.0.1:{PORT}", folder, count))
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
