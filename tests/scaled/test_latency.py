"""What a scaled-out mesh costs who submits and trades: medians beside those of `qmtl up`, each started in turn.

`qmtl up` commits without waiting for the disk (synchronous NORMAL), a scaled-out mesh waits for it, which is much of
the difference on a slow disk. So it is set beside both, and judged by the one that promises as much.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.config.settings import SERVICES
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import connect
from tests.mesh.gateway_client import (
    GatewayClient,
    client_over,
    in_chunks,
    open_gateway_client,
    source_node,
    submission,
)
from tests.mesh.trading_mesh import RESTING, TradingWorld
from tests.scaled.scaled_mesh import ScaledMesh
from tests.scaled.test_story import level
from tests.support.postgres import OwnPostgres
from tests.support.waiting import eventually

STARTS = int(os.environ.get("QMTL_SOAK_STARTS", "5"))
WARM, SUBMISSIONS, ORDERS = 5, 60, 200
BARS_PER_S = 2.0  # each ends the orders that wait for it
RATIO_MAX = 1.5
READY_S = 120.0  # on a machine that does other work too
KINDS = ("dev", "durable dev", "prod")
DURABLE = {f"QMTL__{service.upper()}__SQLITE_SYNCHRONOUS": "FULL" for service in SERVICES}
Medians = dict[str, float]  # seconds, by act
pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


async def test_a_scaled_out_mesh_is_half_as_slow_again_at_most(tmp_path: Path, own_postgres: OwnPostgres) -> None:
    ratios: dict[str, list[float]] = {f"{act}, {kind}": [] for act in ("submission", "order") for kind in KINDS[:2]}
    for start in range(STARTS):
        found: dict[str, Medians] = {}
        for kind in KINDS if start % 2 == 0 else reversed(KINDS):
            home = tmp_path / f"{kind.replace(' ', '-')}-{start}"
            mesh = scaled_out(home, own_postgres.url) if kind == "prod" else local(home, kind == "durable dev")
            async with mesh as client:
                found[kind] = await medians(client)
        for name, of_pair in ratios.items():
            act, _, kind = name.partition(", ")
            dev, prod = found[kind][act], found["prod"][act]
            of_pair.append(prod / dev)
            sys.stdout.write(f"{name} p50 {dev * 1e3:.1f} -> {prod * 1e3:.1f} ms, x {prod / dev:.2f}\n")
            sys.stdout.flush()
    middle = {name: statistics.median(of_pair) for name, of_pair in ratios.items()}
    sys.stdout.write(f"medians of {STARTS}: { {name: round(ratio, 2) for name, ratio in middle.items()} }\n")
    assert max(middle["submission, durable dev"], middle["order, durable dev"]) <= RATIO_MAX, ratios


@asynccontextmanager
async def local(home: Path, durable: bool) -> AsyncIterator[GatewayClient]:
    """`qmtl up`; `durable`: with every commit on the disk before it is answered."""
    plan = free_plan(home)
    if durable:
        plan = replace(plan, environ=DURABLE)
    async with (
        Mesh(plan, start_timeout_s=READY_S) as mesh,
        open_gateway_client(mesh.address("gateway"), mesh.home) as client,
    ):
        yield client


@asynccontextmanager
async def scaled_out(folder: Path, postgres: str) -> AsyncIterator[GatewayClient]:
    """By the documented commands; through its first gateway over TLS."""
    mesh = ScaledMesh(folder, postgres)
    try:
        mesh.init()
        mesh.start_all()
        await mesh.ready()
        await eventually(lambda: level(mesh, "gateway-1") == level(mesh, "gateway-2") == "NORMAL", READY_S)
        access = mesh.access()
        token, ca = file_token(Path(access["QMTL_TOKEN_FILE"])), Path(access["QMTL_CA"])
        async with connect(access["QMTL_ADDRESS"], user_token=token, ca=ca, default_timeout_s=30.0) as channel:
            yield client_over(channel)
    finally:
        mesh.stop()
        mesh.drop_databases()


async def medians(client: GatewayClient) -> Medians:
    """Of submissions until they are through, and of orders until they are acknowledged, one after the other."""
    trading = TradingWorld({"gateway": client})
    await trading.prepare(bars_per_second=BARS_PER_S)
    await trading.priced()

    async def submit(number: int) -> None:
        asked = submission(trading.world, [source_node(number=number)])
        await client.strategies.SubmitStrategy(in_chunks(asked))

    async def order(number: int) -> None:
        asked = trading.order(f"o-{number}", **RESTING, time_in_force="TIME_IN_FORCE_IOC")
        status = (await trading.submit(asked)).status
        assert status.state != orderpb.ORDER_STATE_DENIED, orderpb.Denial.Name(status.denial)

    return {"submission": await median(submit, SUBMISSIONS), "order": await median(order, ORDERS)}


async def median(act: Callable[[int], Awaitable[None]], count: int) -> float:
    """Of the seconds that each takes, after some that warm what is cached."""
    took = []
    for number in range(WARM + count):
        begun_s = time.perf_counter()
        await act(number)
        took.append(time.perf_counter() - begun_s)
    return statistics.median(took[WARM:])
