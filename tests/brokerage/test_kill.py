"""The real process under SIGKILL: no answered order is lost, no fill is made twice, the books are their replay."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import nats
import pytest

from brokerage.config import Settings
from brokerage.domain.orders.order import Side
from brokerage.market.configured import market_of
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.config.settings import MeshSettings
from qmtl.core.errors import DeadlineExceeded, Unavailable
from qmtl.rpc.auth.tokens import ensure_service_token
from qmtl.sql.database import Database
from tests.brokerage.mesh import Client, Mesh, running_mesh, until
from tests.brokerage.samples import Book, bar, order
from tests.support.nats import NatsServer

KILLS = 4
ORDERS_PER_ROUND = 25


async def accepted(client: Client, number: int) -> str | None:
    """Submit one order; its id if it was answered. A broken call is tried again with the same id."""
    side = Side.BUY if number % 3 else Side.SELL
    with suppress(Unavailable, DeadlineExceeded):
        answer = await client.submit(order(f"o{number}", side, 1))
        return answer.status.order.client_order_id
    return None


async def one_round(
    mesh: Mesh, client: Client, process: asyncio.subprocess.Process, first: int, rng: random.Random
) -> list[str]:
    """Orders and bars while the process is killed at a random moment; the ids that were answered."""
    fatal = rng.randrange(ORDERS_PER_ROUND)
    answered: list[str] = []
    for number in range(first, first + ORDERS_PER_ROUND):
        if number - first == fatal:
            asyncio.get_running_loop().call_later(rng.random() * 0.01, process.kill)
        name = await accepted(client, number)
        answered += [name] if name else []
        if number % 2:
            mesh.feed.push(bar(number, 100 + number % 7))
    await process.wait()
    assert process.returncode == -signal.SIGKILL
    return answered


@pytest.mark.timeout(180)
async def test_nothing_answered_is_lost_and_nothing_is_done_twice(tmp_path: Path, nats_server: NatsServer) -> None:
    rng = random.Random(7)
    async with running_mesh(tmp_path, nats_server.url) as mesh:
        ensure_service_token(mesh.home, "brokerage")
        process = await mesh.spawn()
        await mesh.ready()
        client = mesh.client()
        await client.open()
        await mesh.client(role=None, service="worldservice").fence(1)
        mesh.feed.push(bar(0))
        await until(client.venue_minute, lambda minute: minute >= 1)
        answered: list[str] = []
        number = 1
        for _ in range(KILLS):
            answered += await one_round(mesh, client, process, number, rng)
            number += ORDERS_PER_ROUND
            process = await mesh.spawn()
            await mesh.ready()
        for again in range(1, number):
            await until(partial(accepted, client, again), bool)
        mesh.feed.push(bar(number, 100), bar(number + 1, 100))
        await until(client.venue_minute, lambda minute: minute >= number + 2)
        await check(mesh, client, answered, number - 1)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        db = Database(f"sqlite:///{mesh.home.absolute() / 'state' / 'brokerage.db'}")
        assert await Book(db, market_of(Settings(mesh=MeshSettings(home=mesh.home)))).verify() == 1
        await db.close()


@pytest.mark.timeout(180)
@pytest.mark.soak
async def test_a_split_is_done_once_over_kills(tmp_path: Path, nats_server: NatsServer) -> None:
    rng = random.Random(5)
    async with running_mesh(tmp_path, nats_server.url) as mesh:
        ensure_service_token(mesh.home, "brokerage")
        minutes = (2, 4, 6)
        mesh.actions = [{"symbol": "AAPL", "at": f"1970-01-01T00:0{at}:00Z", "split": "2"} for at in minutes]
        process = await mesh.spawn()
        await mesh.ready()
        client = mesh.client()
        await client.open()
        await mesh.client(role=None, service="worldservice").fence(1)
        mesh.feed.push(bar(0))
        await until(client.venue_minute, lambda minute: minute >= 1)
        await client.submit(order("held", quantity=10))
        mesh.feed.push(bar(1))
        await until(client.fills, bool)
        for done, at in enumerate(minutes, 1):
            asyncio.get_running_loop().call_later(rng.random() * 0.05, process.kill)
            mesh.feed.push(bar(at, 100 // 2**done))
            await process.wait()
            process = await mesh.spawn()
            await mesh.ready()
            await until(client.venue_minute, lambda minute, at=at: minute >= at + 1)  # type: ignore[misc]  # bound now
            assert (await client.portfolio()).positions[0].quantity == str(10 * 2**done)


async def test_limits_of_a_world_outlive_the_process(tmp_path: Path, nats_server: NatsServer) -> None:
    async with running_mesh(tmp_path, nats_server.url) as mesh:
        ensure_service_token(mesh.home, "brokerage")
        process = await mesh.spawn()
        await mesh.ready()
        client, keeper = mesh.client(), mesh.client(role=None, service="worldservice")
        await client.open()
        limits = limitspb.RiskLimits(order_notional_max="1010", gross_notional_max="1515")
        told = await keeper.fence(1, limits=limits)
        mesh.feed.push(bar(0))
        await until(client.venue_minute, lambda minute: minute >= 1)
        await client.submit(order("o1"))
        process.kill()
        await process.wait()
        await mesh.spawn()
        await mesh.ready()
        assert (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"))).fence == told.fence
        assert (await keeper.fence(1, limits=limits)).fence == told.fence
        answers = [await client.submit(order(f"later{quantity}", quantity=quantity)) for quantity in (11, 6, 5)]
        assert [answer.status.denial for answer in answers] == [
            orderpb.DENIAL_NOTIONAL_ABOVE_LIMIT,
            orderpb.DENIAL_EXPOSURE_ABOVE_LIMIT,
            orderpb.DENIAL_UNSPECIFIED,
        ]


async def check(mesh: Mesh, client: Client, answered: list[str], count: int) -> None:
    """Every answered order is there, every filled order filled exactly its quantity once, every event left once."""
    fills = await client.fills()
    assert len({fill.trade_id for fill in fills}) == len(fills)
    by_order = [fill.client_order_id for fill in fills]
    assert len(set(by_order)) == len(by_order)
    assert [fill.account_fill_number for fill in fills] == list(range(1, len(fills) + 1))
    for name in dict.fromkeys(answered):
        status = await client.status_of(name)
        assert status.view in (orderpb.ORDER_VIEW_FILLED, orderpb.ORDER_VIEW_DENIED)
        assert (status.view == orderpb.ORDER_VIEW_FILLED) == (name in by_order)
    signed = sum(1 if fill.side == orderpb.ORDER_SIDE_BUY else -1 for fill in fills)
    held = (await client.portfolio()).positions
    assert held[0].quantity == str(signed)
    assert len(fills) > count // 3
    await published(mesh, client)


async def published(mesh: Mesh, client: Client) -> None:
    """Every event of the log reaches ORDERS, in order and once, after the outbox has drained."""
    await until(
        lambda: client.status.GetStatus(brokerstatusservicepb.GetStatusRequest()),
        lambda found: found.status.outbox_depth == 0,
    )
    events: list[int] = []
    bus = await nats.connect(mesh.nats_url)
    try:
        reader = await bus.jetstream().subscribe("qmtl.orders.w1.acc", ordered_consumer=True)
        last = (await client.portfolio()).account_event_number
        while not events or events[-1] != last:
            message = await reader.next_msg(timeout=10)
            told = orderpb.OrderEvents.FromString(message.data).events
            events += [event.account_event_number for event in told]
    finally:
        await bus.close()
    mine = events[len(events) - 1 - events[::-1].index(1) :]
    assert mine == list(range(1, last + 1))
