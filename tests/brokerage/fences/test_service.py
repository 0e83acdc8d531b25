"""Fences over the wire: their limits come and go with them, and orders wait for the one that is on its way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.fences.service import FenceService
from brokerage.orders.entry.submit_list import submit_list
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import (
    InvalidRequest,
    NotFound,
    NotReady,
)
from qmtl.sql.database import sqlite_url
from tests.brokerage.mesh import Client, Mesh
from tests.brokerage.orders.entry.test_submit_list import bracket
from tests.brokerage.samples import GATE, bar, open_book, order


async def test_fences_over_the_wire(mesh: Mesh, client: Client) -> None:
    keeper = mesh.client(role=None, service="worldservice")
    frozen = await keeper.fence(2, "FROZEN")
    assert (frozen.fence.fence_epoch, list(frozen.on_the_wire)) == (2, [])
    with pytest.raises(NotReady, match="E_STALE_EPOCH") as caught:
        await client.submit(order("o1"), epoch=1)
    assert caught.value.metadata["epoch"] == "2"
    with pytest.raises(NotFound, match="E_ORDER_UNKNOWN"):
        await client.status_of("o1")
    denied = await client.submit(order("o1"), epoch=2)
    assert (denied.status.state, denied.status.denial) == (orderpb.ORDER_STATE_DENIED, orderpb.DENIAL_FENCED)
    fence = (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"))).fence
    assert (fence.fence_epoch, fence.state) == (2, fencepb.FENCE_STATE_FROZEN)
    never = (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w9"))).fence
    assert (never.fence_epoch, never.state) == (0, fencepb.FENCE_STATE_FROZEN)
    with pytest.raises(NotReady, match="E_STALE_EPOCH"):
        await keeper.fence(1)
    await keeper.fence(3, mode="LIVE")
    live = await client.submit(order("o2"), epoch=3, domain="LIVE")
    assert live.status.denial == orderpb.DENIAL_NO_LIVE_VENUE


async def denial(client: Client, wanted: Order, epoch: int) -> int:
    return (await client.submit(wanted, epoch)).status.denial


async def test_limits_of_a_world_come_with_its_fence_and_go_with_it(mesh: Mesh, client: Client) -> None:
    keeper = mesh.client(role=None, service="worldservice")
    limits = limitspb.RiskLimits(order_notional_max="1010.0", long_notional_max="1515", short_notional_max="100")
    wanted = limitspb.RiskLimits(order_notional_max="1010", long_notional_max="1515", short_notional_max="100")
    told = await keeper.fence(2, limits=limits)
    assert (told.fence.limits, told.fence.state) == (wanted, fencepb.FENCE_STATE_OPEN)
    assert (await keeper.fence(2, limits=wanted)).fence == told.fence
    assert (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"))).fence == told.fence
    assert await denial(client, order("a", quantity=11), 2) == orderpb.DENIAL_NOTIONAL_ABOVE_LIMIT
    assert await denial(client, order("b", quantity=10), 2) == orderpb.DENIAL_UNSPECIFIED
    assert await denial(client, order("c", quantity=6), 2) == orderpb.DENIAL_POSITION_ABOVE_LIMIT
    assert await denial(client, order("d", Side.SELL, 1), 2) == orderpb.DENIAL_POSITION_ABOVE_LIMIT
    for other in (None, limitspb.RiskLimits(order_notional_max="1010")):
        with pytest.raises(NotReady, match="E_STALE_EPOCH"):
            await keeper.fence(2, limits=other)
    assert not (await keeper.fence(3)).fence.HasField("limits")
    assert await denial(client, order("e", quantity=11), 3) == orderpb.DENIAL_UNSPECIFIED


async def test_a_fence_of_an_epoch_that_no_store_has_is_not_taken(mesh: Mesh, client: Client) -> None:
    keeper = mesh.client(role=None, service="worldservice")
    for epoch in (0, 2**63, 2**64 - 1):
        with pytest.raises(InvalidRequest, match="E_FENCE_EPOCH") as caught:
            await keeper.fence(epoch)
        assert caught.value.violations[0].field == "fence_epoch"
    assert (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"))).fence.fence_epoch == 1


async def test_a_limit_that_cannot_be_read_moves_no_fence(mesh: Mesh, client: Client) -> None:
    keeper = mesh.client(role=None, service="worldservice")
    for written in ("0", "-5", "1e3", "lots"):
        with pytest.raises(InvalidRequest, match="E_DECIMAL") as caught:
            await keeper.fence(2, limits=limitspb.RiskLimits(gross_notional_max=written))
        assert caught.value.violations[0].field == "limits.gross_notional_max"
    assert (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"))).fence.fence_epoch == 1


async def test_an_order_that_waits_for_its_fence_is_held_to_its_limits(mesh: Mesh, client: Client) -> None:
    answers = [asyncio.create_task(denial(client, order(f"o{number}"), 2)) for number in range(2)]
    limits = limitspb.RiskLimits(gross_notional_max="1010")
    await mesh.client(role=None, service="worldservice").fence(2, limits=limits)
    found = sorted([await answer for answer in answers])
    assert found == [orderpb.DENIAL_UNSPECIFIED, orderpb.DENIAL_EXPOSURE_ABOVE_LIMIT]


async def test_strategies_and_accounts_of_a_world_share_its_gross_limit(mesh: Mesh, client: Client) -> None:
    await client.open("two")
    limits = limitspb.RiskLimits(gross_notional_max="3030")
    await mesh.client(role=None, service="worldservice").fence(2, limits=limits)
    owners = [Owner(account, "w1", strategy) for account in ("acc", "two") for strategy in ("s1", "s2")]
    wanted = [replace(order("o1"), owner=owner) for owner in owners]
    answers = await asyncio.gather(*(denial(client, one, 2) for one in wanted))
    assert sorted(answers) == [orderpb.DENIAL_UNSPECIFIED] * 3 + [orderpb.DENIAL_EXPOSURE_ABOVE_LIMIT]


async def test_a_fence_is_told_however_many_orders_it_holds(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db")) as book:
        await book.open()
        await book.show(bar(0))
        await book.db.write(lambda conn: submit_list(conn, book.market, bracket(), GATE, 6))
        service = FenceService(book.db, SystemClock(), held_bytes_max=40)
        asked = await service.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"), None)
    assert ([name.client_order_id for name in asked.held], asked.held_total) == (["stop"], 2)
