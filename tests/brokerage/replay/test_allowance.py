"""What a replay may take: a bound on its work, and no thread that goes on for nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal as D
from threading import Event

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.backtest.order_list import OrderListReplay, acts_of
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType
from brokerage.replay.allowance import Allowance
from qmtl.core.errors import InvalidRequest, Unavailable
from tests.brokerage.domain.backtest.test_order_list import BEGIN_NS, HOUR_NS, TRADED, Case, columns_of

CASE = Case(5, 100, 0, 0.0001, 0.0, margin(1, "0.001"), 100_000)


def trailing(orders: int, allowance: Allowance) -> OrderListReplay:
    """Orders that every bar may change, and none ends."""
    trail = Order(LOCAL, "trail", "X", Side.SELL, D(1), OrderType.TRAILING_STOP, decided_ns=BEGIN_NS + HOUR_NS)
    trail = replace(trail, trail_offset=D(50), trail_offset_type=TrailOffsetType.PRICE)
    acts = acts_of([replace(trail, client_order_id=f"trail{n}") for n in range(orders)], [])
    account = SimulatedAccount(CASE.profile, {"USD": D(CASE.cash)}, instruments=TRADED.values())
    return OrderListReplay(account, Timeline(columns_of(CASE)), acts, "USD", spend=allowance.spend)


@pytest.mark.parametrize("orders", [1, 5])
def test_looks_at_orders_and_closes_are_bounded(orders: int) -> None:
    looks = 100 + 99 * orders
    assert len(trailing(orders, Allowance(looks)).run().times) == 100
    with pytest.raises(InvalidRequest, match="E_TOO_LARGE: orders"):
        trailing(orders, Allowance(looks - 1)).run()


async def test_what_nobody_waits_for_ends_before_its_caller_does() -> None:
    allowance, begun, seen = Allowance(10**9), Event(), list[str]()

    def spends() -> None:
        begun.set()
        try:
            while True:
                allowance.spend(0)
        except Unavailable as error:
            seen.append(error.reason)
            raise

    call = asyncio.create_task(allowance.in_thread(spends))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert seen == ["E_CANCELLED_INSIDE"]


async def test_what_is_answered_or_raised_passes() -> None:
    def fails() -> None:
        Allowance(0).spend(0)

    assert await Allowance(1).in_thread(lambda: 7) == 7
    with pytest.raises(InvalidRequest, match="E_TOO_LARGE"):
        await Allowance(1).in_thread(fails)
