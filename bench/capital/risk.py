"""Puts and reports of a real worldservice; latencies against their floors.

    python -m bench.capital.risk [--strategies 40] [--days 500] [--rounds 30]

A put's floor is a call of that size and one durable commit: one that is refused as expired, which is audited. A put of
the same version again reads, checks and reports as the first does. A report's floor is a call, rows read (a list of
snapshots) and bare numpy. A breach is timed until its fence is at brokerage, beside a SetActivation that drains. Ratios
are of p95, as the targets in the specification are.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from qmtl.core.errors import NotReady
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.nats import NatsServer
from tests.worldservice.harness import LONG, WorldHarness, make_trading, make_world, running_harness
from tests.worldservice.risk.books import book, message_of, series, snapshot_of
from tests.worldservice.samples import CLAIMS
from worldservice.risk.domain.covariance import ledoit_wolf
from worldservice.risk.domain.report import risk_report

EXITS = CLAIMS + 'risk: {exit: [{when: "drawdown > 0.4", of: strategy, act: drain}]}\n'


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
            last = harness.clock.now().date() - timedelta(days=2)  # over at the as_of of what is refused, too
            moved = {name: series(one.values, last) for name, one in returns.items()}

            async def put(number: int) -> None:
                snapshot = snapshot_of(weights, moved, "world:w1", f"v{number}")
                message = message_of(snapshot)
                message.as_of.FromDatetime(harness.clock.now())
                await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w1", snapshot=message))

            async def again(number: int) -> None:
                await put(0)

            async def refused(number: int) -> None:
                message = message_of(snapshot_of(weights, moved, "world:w1", "old"))
                message.as_of.FromDatetime(harness.clock.now() - timedelta(hours=1))
                with suppress(NotReady):
                    await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w1", snapshot=message))

            async def report(number: int) -> None:
                await ann.risk.GetReport(riskservicepb.GetReportRequest(world_id="w1"))

            async def floor(number: int) -> None:
                await ann.risk.ListSnapshots(riskservicepb.ListSnapshotsRequest(world_id="w1"))

            calls = {"put": put, "put again": again, "put refused": refused, "report": report, "list": floor}
            p95 = {name: said(name, await timed(call, rounds)) for name, call in calls.items()}
            snapshot = snapshot_of(weights, moved)
            p95["bare report"] = said("bare report", bare(lambda: risk_report(snapshot, "x"), rounds))
            rows = np.array([one.values for one in moved.values()]).T
            said("bare covariance", bare(lambda: ledoit_wolf(rows), rounds))
            say(f"put / floor       {p95['put'] / p95['put refused']:.2f}")
            say(f"report / floor    {p95['report'] / (p95['list'] + p95['bare report']):.2f}")
            acted, narrowed = await exits(harness, rounds)
            fence = said("narrowing", narrowed)
            say(f"breach / narrowing {said('breach to fence', acted) / fence:.2f}")


async def exits(harness: WorldHarness, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a put that breaches and whose fence is at brokerage, and of a narrowing that a person asks for."""
    ann = await make_trading(harness, "w2", "s0", "s1")
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w2", document=EXITS, make_default=True))
    weights, returns = book(2, 300, 1)
    last = harness.clock.now().date() - timedelta(days=1)
    moved = {name: series(one.values, last) for name, one in returns.items()}
    fallen = moved | {"s0": series([*moved["s0"].values[:-1], -0.5], last)}
    acted, narrowed = [], []

    async def changed(*, active: bool) -> float:
        change = activationpb.ActivationChange(strategy_id="s0", side=LONG, active=active, drain=not active)
        request = activationservicepb.SetActivationRequest(world_id="w2", changes=[change])
        began = time.perf_counter()
        await ann.activation.SetActivation(request)
        return time.perf_counter() - began

    for number in range(rounds):
        harness.clock.advance(1.0)
        message = message_of(snapshot_of(weights, fallen, "world:w2", f"b{number}"))
        message.as_of.FromDatetime(harness.clock.now())
        message.stage = riskpb.RISK_STAGE_PAPER
        epoch, began = harness.brokerage.state("w2")[0], time.perf_counter()
        await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w2", snapshot=message))
        acted.append(time.perf_counter() - began)
        if harness.brokerage.state("w2")[0] != epoch + 1:
            raise SystemExit("the breach narrowed nothing")
        (found,) = (await ann.risk.ListBreaches(riskservicepb.ListBreachesRequest(world_id="w2"))).breaches[:1]
        seen = riskservicepb.AcknowledgeBreachRequest(world_id="w2", sequence=found.sequence, reason="measured")
        await ann.risk.AcknowledgeBreach(seen)
        await changed(active=True)
        narrowed.append(await changed(active=False))
        await changed(active=True)
    return acted, narrowed


async def timed(call: Callable[[int], Awaitable[None]], rounds: int) -> list[float]:
    """Seconds of each call."""
    spent = []
    for number in range(rounds):
        began = time.perf_counter()
        await call(number)
        spent.append(time.perf_counter() - began)
    return spent


def bare(work: Callable[[], object], rounds: int) -> list[float]:
    """As timed, of a function."""
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return spent


def said(name: str, spent: list[float]) -> float:
    """Print p50 and p95 in milliseconds; the p95 in seconds."""
    ordered = sorted(spent)
    p95 = ordered[int(0.95 * len(ordered))]
    say(f"{name:16}  p50 {1e3 * statistics.median(ordered):7.2f} ms   p95 {1e3 * p95:7.2f} ms")
    return p95


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
