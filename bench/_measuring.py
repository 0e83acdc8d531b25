"""What the benches of the door measure with: latencies, rates, and a line that sets them beside a floor."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # ships no types

from qmtl.cli.local.supervisor import Mesh

Act = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies of acts in seconds, and how long all took."""

    latencies: Sequence[float]
    seconds: float

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.latencies) * 1e3

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def at(self, share: float) -> float:
        """A quantile in ms."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


async def measure(act: Act, count: int, in_flight: int) -> Measured:
    """Acts 0..count-1, so many at a time."""
    numbers, latencies = iter(range(count)), list[float]()

    async def work() -> None:
        for index in numbers:
            begun = time.perf_counter()
            await act(index)
            latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return Measured(latencies, time.perf_counter() - begun)


async def best_ms(act: Callable[[], Awaitable[object]], rounds: int) -> float:
    """The best of some rounds, after one to warm up: what the code costs when the machine lets it."""
    await act()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        await act()
        taken.append(1e3 * (time.perf_counter() - begun))
    return min(taken)


def say(name: str, found: Measured, floor: Measured | None = None) -> None:
    ratio = f"  {found.p50_ms / floor.p50_ms:5.1f} x floor, rate {found.rate / floor.rate:.2f} x" if floor else ""
    line = f"{name:34} p50 {found.p50_ms:7.1f} ms  p95 {found.at(0.95):7.1f} ms  {found.rate:7.1f}/s{ratio}\n"
    sys.stdout.write(line)


def cpu_s(mesh: Mesh) -> dict[str, float]:
    """CPU seconds of each process so far."""
    times = {one.name: psutil.Process(one.pid).cpu_times() for one in mesh.running()}
    return {name: spent.user + spent.system for name, spent in times.items()}


async def idle_share(mesh: Mesh, seconds: float = 3.0) -> dict[str, float]:
    """CPU seconds a second of each process while nobody asks it anything: checks, leases and health go on."""
    before = cpu_s(mesh)
    await asyncio.sleep(seconds)
    return {name: (now - before[name]) / seconds for name, now in cpu_s(mesh).items()}
