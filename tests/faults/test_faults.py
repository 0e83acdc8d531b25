"""Faults of every kind under traffic: what was acknowledged holds, nothing is done twice, nothing passes a freeze.

The clients write each acknowledgement down outside of the mesh before the next act (tests/faults/ledger.py).
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qmtl.cli.local.health import gateway_level
from qmtl.cli.local.layout import Plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.cli.local.tokens import user_token
from qmtl.config.settings import MeshSettings
from tests.faults.holdings import holdings
from tests.faults.injection import WEIGHTS, Fault, Injector, drawn
from tests.faults.ledger import Judgement, Ledger, judge
from tests.faults.machine_clock import MachineClock
from tests.faults.traffic import Traffic
from tests.mesh.gateway_client import open_gateway_client
from tests.mesh.trading_mesh import TradingMesh
from tests.support.disks import SmallDisk, mounted
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

SEED = 20261130
FAULTS = int(os.environ.get("QMTL_SOAK_FAULTS", "300"))
RECOVERED_S = 120.0
BARS_PER_S = 0.1  # each ends the orders that wait for it; a session of an hour
DISK_BYTES = 512 * 1024 * 1024
STREAM_BYTES = 16 * 1024 * 1024
LOG_BYTES = 4 * 1024 * 1024
SHORT = [
    Fault("KILL", "brokerage"),
    Fault("CLOCK", "", -600.0),
    Fault("STORE", "nats-server"),
    Fault("PAGE", "gateway"),
]


@dataclass
class Recoveries:
    """Seconds from the end of each fault until acts of every kind begun after it had passed and all was NORMAL."""

    by_kind: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __str__(self) -> str:
        every = {**self.by_kind, "all": [each for took in self.by_kind.values() for each in took]}
        return "\n".join(
            f"{kind:<6} {len(took):>4}  p50 {statistics.median(took):6.2f} s  max {max(took):6.2f} s"
            for kind, took in sorted(every.items())
        )


def say(text: str) -> None:
    """Into pytest's captured output, shown with -s and when a test fails."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def plan_in(home: Path, clock: MachineClock) -> Plan:
    whole = laid_plan(home)
    mesh = MeshSettings(nats_url=whole.nats_url, stream_bytes_max=STREAM_BYTES, log_bytes_max=LOG_BYTES)
    environ = {
        "QMTL__MESH__STREAM_BYTES_MAX": str(STREAM_BYTES), "QMTL__MESH__LOG_BYTES_MAX": str(LOG_BYTES), **clock.environ,
    }  # fmt: skip
    return Plan(home, whole.nats_url, True, whole.places, environ=environ, mesh=mesh)


@pytest.fixture
def clock(tmp_path: Path) -> MachineClock:
    return MachineClock(tmp_path)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk | None]:
    """None where this process may not mount one: then no disk is filled, and the summary says so."""
    with mounted(tmp_path / "disk", DISK_BYTES) as made:
        yield made


async def troubled(home: Path, faults: list[Fault], clock: MachineClock, disk: SmallDisk | None) -> Judgement:
    """Do every fault to a mesh under traffic, each after the one before is over; what did not hold."""
    recoveries = Recoveries()
    async with AsyncExitStack() as stack:
        ledger = Ledger(clock.folder / "ledger")
        stack.callback(ledger.close)
        mesh = await stack.enter_async_context(Mesh(plan_in(home, clock)))
        client = await stack.enter_async_context(open_gateway_client(mesh.address("gateway"), mesh.home))
        trading = TradingMesh(mesh, {"gateway": client})
        await trading.prepare(bars_per_second=BARS_PER_S)
        traffic, injector = Traffic(trading, ledger), Injector(mesh, clock, disk, random.Random(SEED))
        async with traffic.going():
            await recovered(mesh, traffic, 0.0)
            for fault in faults:
                took_s = await recovered(mesh, traffic, await injector.do(fault))
                recoveries.by_kind[fault.kind].append(took_s)
                say(f"{fault}: {took_s:.2f} s")
        found = judge(ledger, await holdings(traffic))
        say(f"{recoveries}\nacknowledged: {ledger.counts()}, refused meanwhile: {dict(traffic.refusals)}")
    assert injector.refused == sum(fault.kind == "PAGE" for fault in faults)
    return found


async def recovered(mesh: Mesh, traffic: Traffic, since_s: float) -> float:
    """Wait; how long it took."""
    loop = asyncio.get_running_loop()
    token = user_token(mesh.home)

    async def is_well() -> bool:
        assert not traffic.died()
        if not traffic.all_passed_since(since_s):
            return False
        return await asyncio.to_thread(gateway_level, mesh.address("gateway"), token, 1.0) == "NORMAL"

    await eventually(is_well, RECOVERED_S)
    return loop.time() - since_s


@pytest.mark.timeout(240)
async def test_a_fault_of_each_kind(tmp_path: Path, clock: MachineClock) -> None:
    assert await troubled(tmp_path / "home", SHORT, clock, None) == Judgement()


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
async def test_hundreds_of_faults(clock: MachineClock, disk: SmallDisk | None, tmp_path: Path) -> None:
    kinds = [kind for kind in WEIGHTS if kind != "DISK" or disk is not None]
    if disk is None:
        say("no tmpfs can be mounted here: no disk is filled")
    home = (tmp_path if disk is None else disk.folder) / "home"
    assert await troubled(home, drawn(FAULTS, SEED, kinds), clock, disk) == Judgement()
