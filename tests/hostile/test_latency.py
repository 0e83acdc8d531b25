"""What a siege costs who trades: orders and freezes beside attackers, against the same mesh beside a CPU burner."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.supervisor import Mesh
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from tests.hostile.attackers import pids, resident_mb, watched
from tests.mesh.trading_mesh import COMPLETED, RESTING, TradingMesh
from tests.support.processes import ROOT

ROUNDS = 5
ROUND_S = 12.0
BARS_PER_S = 2.0  # each ends the orders that wait for it
RATIO_MAX = 3.0
FREEZE_S_MAX = 1.0
GROWTH_MAX = 2.0
LEASE_SPARE_S = 2.75  # what is left of a gate session, less its margin, when its next renewal is due
SERVICES = ("gateway", "worldservice", "brokerage", "dagmanager", "seamless", "controlbus")
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@asynccontextmanager
async def beside(*words: str) -> AsyncIterator[None]:
    """A process of tests.hostile.siege on the last core, as long as the body runs."""
    core = str(max(os.sched_getaffinity(0)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.hostile.siege", *words, core, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")])},
    )  # fmt: skip
    try:
        yield
        assert process.returncode is None, "the siege ended before the body did"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def orders(trading: TradingMesh, name: str) -> list[float]:
    """Orders one after the other for a round: how long each took. None is denied."""
    took: list[float] = []
    until_s = time.monotonic() + ROUND_S
    while time.monotonic() < until_s:
        order = trading.order(f"{name}-{len(took)}", **RESTING, time_in_force="TIME_IN_FORCE_IOC")
        begun_s = time.monotonic()
        status = (await trading.submit(order)).status
        took.append(time.monotonic() - begun_s)
        assert status.state != orderpb.ORDER_STATE_DENIED, orderpb.Denial.Name(status.denial)
        await asyncio.sleep(0.01)
    return took


async def freezes(trading: TradingMesh, name: str) -> list[float]:
    """Freezes of another world, one after the other: how long until the fence was committed."""
    took: list[float] = []
    until_s = time.monotonic() + ROUND_S
    while time.monotonic() < until_s:
        request = applyservicepb.FreezeWorldRequest(world_id=trading.world, request_id=f"{name}-{len(took)}")
        begun_s = time.monotonic()
        reply = await trading.client.applies.FreezeWorld(request)
        while reply.fence_pending:
            reply = await trading.client.applies.FreezeWorld(request)
        took.append(time.monotonic() - begun_s)
        out = await trading.client.applies.Resume(
            applyservicepb.ResumeRequest(world_id=trading.world, run_id=reply.run.run_id)
        )
        await trading.until(out.run.run_id, COMPLETED)
    return took


def loop_stalls(mesh: Mesh, before: Mapping[str, float]) -> dict[str, float]:
    """The longest that each service's event loop was held, of the last minute or two and before."""
    found = dict(before)
    for process in mesh.running():
        if process.name in found:
            with urllib.request.urlopen(f"http://127.0.0.1:{process.metrics_port}/metrics", timeout=10) as reply:
                lines = str(reply.read(), "utf-8").splitlines()
            (value,) = [line.split()[1] for line in lines if line.startswith("qmtl_loop_held_longest_seconds ")]
            found[process.name] = max(found[process.name], float(value))
    return found


def p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100, method="inclusive")[98]


async def test_orders_and_freezes_under_siege(trading: TradingMesh) -> None:
    """Five pairs of rounds, burner and siege in turn, so that the machine's moods fall on both."""
    held, other = TradingMesh(trading.mesh, trading.clients), TradingMesh(trading.mesh, trading.clients)
    await held.prepare(bars_per_second=BARS_PER_S)
    await held.priced()
    await other.prepare()
    none = mint_user_token(trading.mesh.home, Role.NONE, "eve")
    operator = mint_user_token(trading.mesh.home, Role.OPERATOR, "mallory", [other.world])
    seconds = str(ROUND_S * 4)
    siege = (trading.mesh.address("gateway"), seconds, none, operator, other.world)
    running = pids(trading.mesh, SERVICES)
    quiet = {name: resident_mb(pid) for name, pid in running.items()}
    ratios, calm, harsh, fenced = [], [], [], []
    stalls: dict[str, float] = dict.fromkeys(SERVICES, 0.0)
    async with watched(lambda: {name: resident_mb(pid) for name, pid in running.items()}) as top:
        for number in range(ROUNDS):
            async with beside("", seconds, "", "", ""):
                burned, _ = await asyncio.gather(orders(held, f"b{number}"), freezes(other, f"b{number}"))
            async with beside(*siege):
                stormed, frozen = await asyncio.gather(orders(held, f"s{number}"), freezes(other, f"s{number}"))
            ratios.append(p99(stormed) / p99(burned))
            calm += burned
            harsh += stormed
            fenced += frozen
            stalls.update(await asyncio.to_thread(loop_stalls, trading.mesh, stalls))
    grew = {name: top[name] / quiet[name] for name in running}
    sys.stdout.write(
        f"orders p50 {statistics.median(calm) * 1e3:.1f} -> {statistics.median(harsh) * 1e3:.1f} ms, "
        f"p99 {p99(calm) * 1e3:.1f} -> {p99(harsh) * 1e3:.1f} ms, ratios {[round(each, 2) for each in ratios]}, "
        f"{len(harsh)} orders; freeze to fence p50 {statistics.median(fenced):.3f} p99 {p99(fenced):.3f} s, "
        f"{len(fenced)} freezes; memory {', '.join(f'{name} x {by:.2f}' for name, by in grew.items())}; "
        f"longest stall of the loop {', '.join(f'{name} {by:.3f} s' for name, by in stalls.items())}\n"
    )
    assert statistics.median(ratios) <= RATIO_MAX, ratios
    assert p99(fenced) <= FREEZE_S_MAX
    assert max(grew.values()) < GROWTH_MAX, grew
    assert max(stalls.values()) < LEASE_SPARE_S, stalls
