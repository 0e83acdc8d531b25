"""Both sides of a bracket touched in one bar: the worse comes first, in whichever order they were taken."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.states import OrderState
from tests.brokerage.orders.entry.test_submit_list import bracket
from tests.brokerage.samples import MINUTE, OWNER, STOCK


def minute(number: int, open_: int, high: int, low: int) -> Bar:
    at_ns = number * MINUTE
    return Bar(at_ns, at_ns + MINUTE, open_ * 100, high * 100, low * 100, open_ * 100, 10**9)


@pytest.mark.parametrize("target_first", [False, True])
@pytest.mark.parametrize(
    ("bar", "ends"),
    [
        (minute(2, 100, 120, 80), {"stop": OrderState.FILLED, "target": OrderState.CANCELED}),  # the path decides
        (minute(2, 115, 120, 80), {"stop": OrderState.CANCELED, "target": OrderState.FILLED}),  # the open came first
        (minute(2, 85, 120, 80), {"stop": OrderState.FILLED, "target": OrderState.CANCELED}),
        (minute(2, 100, 120, 99), {"stop": OrderState.CANCELED, "target": OrderState.FILLED}),
        (minute(2, 100, 101, 80), {"stop": OrderState.FILLED, "target": OrderState.CANCELED}),
    ],
)
def test_of_two_exits_in_one_bar_the_worse_is_filled(bar: Bar, ends: dict[str, OrderState], target_first: bool) -> None:
    desk = SimulatedAccount(margin(1), {"USD": Decimal(100_000)}, instruments=[STOCK], owner=OWNER)
    desk.on_bar("AAPL", minute(0, 100, 101, 99))
    entry, stop, target = bracket()
    desk.submit_list([entry, target, stop] if target_first else [entry, stop, target], MINUTE)
    desk.on_bar("AAPL", minute(1, 100, 101, 99))
    assert desk.position("AAPL") == entry.quantity
    desk.on_bar("AAPL", bar)
    assert {name: desk.record(name).state for name in ends} == ends
    assert desk.position("AAPL") == 0
