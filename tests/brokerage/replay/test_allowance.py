"""What a replay may take: a bound on its work."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import numpy as np
import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.backtest.order_list import OrderListReplay, acts_of
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import BarColumns, bar_columns
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType
from brokerage.replay.allowance import Allowance
from qmtl.core.errors import InvalidRequest
from tests.brokerage.domain.backtest.test_order_list import BEGIN_NS, HOUR_NS, TRADED, Case

CASE = Case(5, 100, 0, 0.0001, 0.0, margin(1, "0.001"), 100_000)


def rising() -> list[BarColumns]:
    """Each bar is a dollar above the one before: a stop that trails the price follows in every one."""
    close = np.arange(100, 100 + CASE.bars, dtype=np.float64)
    prices = (close - 0.5, close + 0.25, close - 0.75, close, np.full(CASE.bars, 100.0, dtype=np.float64))
    start = BEGIN_NS + HOUR_NS * np.arange(CASE.bars, dtype=np.int64)
    return [bar_columns(traded, start, HOUR_NS, prices) for traded in TRADED.values()]


def trailing(orders: int, allowance: Allowance) -> OrderListReplay:
    """Orders that every bar changes, and none ends."""
    trail = Order(LOCAL, "trail", "X", Side.SELL, D(1), OrderType.TRAILING_STOP, decided_ns=BEGIN_NS + HOUR_NS)
    trail = replace(trail, trail_offset=D(50), trail_offset_type=TrailOffsetType.PRICE)
    acts = acts_of([replace(trail, client_order_id=f"trail{n}") for n in range(orders)], [])
    account = SimulatedAccount(CASE.profile, {"USD": D(CASE.cash)}, instruments=TRADED.values())
    return OrderListReplay(account, Timeline(rising()), acts, "USD", spend=allowance.spend)


@pytest.mark.parametrize("orders", [1, 5])
def test_looks_at_orders_and_closes_are_bounded(orders: int) -> None:
    looks = 100 + 99 * orders
    assert len(trailing(orders, Allowance(looks)).run().times) == 100
    with pytest.raises(InvalidRequest, match="E_TOO_LARGE: orders"):
        trailing(orders, Allowance(looks - 1)).run()
