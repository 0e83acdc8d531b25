"""Puts and reports of a real worldservice; latencies against their floors.

    python -m bench.risk [--strategies 40] [--days 500] [--rounds 30]

A put's floor is a call of that size that stores nothing and one durable commit: a put of the same version again, which
reads, checks and reports as the first does, is shown beside. A report's floor is a call, the row read and bare numpy.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from tests.support.nats import NatsServer
from tests.worldservice.harness import make_world, running_harness
from tests.worldservice.risk.books import book, message_of, series, snapshot_of
from worldservice.risk.domain.covariance import ledoit_wolf
from worldservice.risk.domain.report import risk_report


async def measure(strategies: int, days: int, rounds: int) -> None:
    """Print p50 and p95 of puts and reports, and the bare arithmetic of one report."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with AsyncExitStack() as stack:
            (home / "nats").mkdir()
            nats = NatsServer(home / "nats")
            nats.start()
            stack.callback(nats.stop)
            harness = await stack.enter_async_context(running_harness(home / "home", nats.url))
            ann = await make_world(harness, "w1")
            weights, returns = book(strategies, days, 1)
            for name in weights:
                await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
            last = harness.clock.now().date() - timedelta(days=1)
            moved = {name: series(one.values, last) for name, one in returns.items()}

            async def put(number: int) -> None:
                snapshot = snapshot_of(weights, moved, "world:w1", f"v{number}")
                message = message_of(snapshot)
                message.as_of.FromDatetime(harness.clock.now())
                await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w1", snapshot=message))

            async def again(number: int) -> None:
                await put(0)

            async def report(number: int) -> None:
                await ann.risk.GetReport(riskservicepb.GetReportRequest(world_id="w1"))

            async def floor(number: int) -> None:
                await ann.risk.ListSnapshots(riskservicepb.ListSnapshotsRequest(world_id="w1"))

            for name, call in (("put", put), ("put again", again), ("report", report), ("list, the floor", floor)):
                say(f"{name:16} {await timed(call, rounds)}")
            say(f"{'bare report':16} {bare(lambda: risk_report(snapshot_of(weights, moved), 'x'), rounds)}")
            rows = np.array([one.values for one in moved.values()]).T
            say(f"{'bare covariance':16} {bare(lambda: ledoit_wolf(rows), rounds)}")


async def timed(call: Callable[[int], Awaitable[None]], rounds: int) -> str:
    """p50 and p95 of a call in milliseconds."""
    spent = []
    for number in range(rounds):
        began = time.perf_counter()
        await call(number)
        spent.append(time.perf_counter() - began)
    return told(spent)


def bare(work: Callable[[], object], rounds: int) -> str:
    """As timed, of a function."""
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return told(spent)


def told(spent: list[float]) -> str:
    """Seconds as p50 and p95 in milliseconds."""
    ordered = sorted(spent)
    return f"p50 {1e3 * statistics.median(ordered):7.2f} ms   p95 {1e3 * ordered[int(0.95 * len(ordered))]:7.2f} ms"


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", type=int, default=40)
    parser.add_argument("--days", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    say(f"{options.strategies} strategies x {options.days} days, {datetime.now(UTC):%Y-%m-%d}")
    asyncio.run(measure(options.strategies, options.days, options.rounds))


if __name__ == "__main__":
    main()
