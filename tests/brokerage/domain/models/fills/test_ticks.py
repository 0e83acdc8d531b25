"""What a trade at the venue gives an order: no more than it may have, and no more than the trade leaves it."""

from __future__ import annotations

import pytest

from brokerage.domain.market.ticks import SeenMarket, TradeTick
from brokerage.domain.models.fills.ticks import TickRules, meet_tick
from brokerage.domain.models.slippage.model import NO_SLIPPAGE
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import OrderType
from tests.brokerage.domain.models.fills.test_types import CENT, record


@pytest.mark.parametrize(
    ("most", "tradable", "got"),
    [(4, -1, 4), (10, -1, 10), (20, -1, 10), (4, 7, 4), (20, 7, 7), (20, 30, 10), (4, 0, 0)],  # -1: all it asks for
)
def test_a_trade_gives_an_order_of_ten_no_more_than_there_is(most: int, tradable: int, got: int) -> None:
    resting = record(Side.BUY, OrderType.LIMIT, 9_500)
    found = meet_tick(
        resting, SeenMarket(tradable=tradable), TradeTick(1, 9_499 * CENT, 50), TickRules(NO_SLIPPAGE, 0), most
    )
    assert [(one.quantity, one.price) for one in found.takings] == ([(got, 9_500 * CENT)] if got else [])
