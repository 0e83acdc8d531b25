"""What a gate's weight leaves of an order, and what an order is valued at before it trades."""

from __future__ import annotations

import pytest

from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Side, SizedOrder
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from brokerage.domain.risk.sizing import bound
from tests.brokerage.samples import STOCK, order


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("quantity", "held", "after_others", "most", "left"),
    [
        (15, -10, -10, 2, 12),  # closes 10 and opens 2, not 5
        (15, -10, -10, 0, 10),
        (15, -10, -10, -3, 10),  # a target on the other side opens nothing
        (15, -10, -10, 9, 15),
        (4, -10, -10, 0, 4),  # closes only
        (5, 3, 3, 7, 4),
        (5, 3, 6, 7, 1),  # 3 more work already
        (5, 3, 8, 7, 0),
    ],
)
def test_only_what_an_order_opens_is_cut_to_the_room_that_is_left(
    side: Side, quantity: int, held: int, after_others: int, most: int, left: int
) -> None:
    """By hand, told of a purchase: a sale is its mirror."""
    assert bound(quantity, side, held * side.sign, after_others, most * side.sign) == left


@pytest.mark.parametrize(("worst", "mark", "price"), [(95, 100, 95), (0, 100, 100), (95, None, 95), (0, None, 0)])
def test_an_order_is_valued_at_its_own_price_else_at_the_mark(worst: int, mark: int | None, price: int) -> None:
    view = AccountView(spot(), Instruments([STOCK]), "USD", {})
    if mark is not None:
        view.marks["AAPL"] = Mark(mark, 1)
    now = context_of(view, order("o"), STOCK, 1, RATE_ONE)
    assert now.price_of(SizedOrder(1, None, None, None, worst)) == price
