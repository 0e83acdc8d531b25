"""Which bar holds an auction, at the instants where that turns; and what a limit makes of its price."""

from __future__ import annotations

import pytest

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fills.auctions import auction_held, fill_on_close, fill_on_open
from brokerage.domain.models.slippage.model import NO_SLIPPAGE
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import TimeInForce
from qmtl.calendars.spans import Span

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
SESSION = Span(100 * HOUR, 106 * HOUR)
STOCK = instrument("X", base="X", quote="USD", price_places=2)


def bar(start_ns: int, end_ns: int) -> Bar:
    return Bar(start_ns, end_ns, 101_00, 104_00, 100_00, 103_00, 1_000)


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "accepted_ns", "held"),
    [
        (SESSION.start_ns, SESSION.start_ns + MINUTE, SESSION.start_ns, True),
        (SESSION.start_ns, SESSION.start_ns + MINUTE, SESSION.start_ns + 1, False),  # ordered after the open
        (SESSION.start_ns - MINUTE, SESSION.start_ns, 0, False),
        (SESSION.start_ns - 1, SESSION.start_ns + MINUTE, 0, False),  # an hour or less opens where it begins
        (SESSION.start_ns + MINUTE, SESSION.start_ns + 2 * MINUTE, 0, True),
        (SESSION.end_ns - 1, SESSION.end_ns + MINUTE, 0, True),
        (SESSION.end_ns, SESSION.end_ns + MINUTE, 0, False),
        (SESSION.start_ns - HOUR, SESSION.start_ns + 1, 0, True),  # more than an hour opens with the session in it
        (SESSION.start_ns - 2 * HOUR, SESSION.start_ns, 0, False),
        (SESSION.start_ns - HOUR, SESSION.start_ns + 1, SESSION.start_ns - HOUR + 1, False),  # the bar in progress
    ],
)
def test_the_open_of_a_session_is_in_its_first_bar(start_ns: int, end_ns: int, accepted_ns: int, held: bool) -> None:
    assert auction_held(TimeInForce.AT_OPEN, bar(start_ns, end_ns), accepted_ns, SESSION) is held


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "accepted_ns", "held"),
    [
        (SESSION.end_ns - MINUTE, SESSION.end_ns, SESSION.end_ns - 1, True),  # though it began before the order
        (SESSION.end_ns - MINUTE, SESSION.end_ns, SESSION.end_ns, False),
        (SESSION.end_ns - MINUTE, SESSION.end_ns - 1, 0, False),
        (SESSION.end_ns - 1, SESSION.end_ns, 0, True),
        (SESSION.end_ns, SESSION.end_ns + MINUTE, 0, False),
    ],
)
def test_the_close_of_a_session_is_in_the_bar_that_ends_it(
    start_ns: int, end_ns: int, accepted_ns: int, held: bool
) -> None:
    assert auction_held(TimeInForce.AT_CLOSE, bar(start_ns, end_ns), accepted_ns, SESSION) is held


@pytest.mark.parametrize(
    ("side", "worse", "better"), [(Side.BUY, -1, 0), (Side.BUY, -1, 1), (Side.SELL, 1, 0), (Side.SELL, 1, -1)]
)
def test_a_limit_takes_an_auctions_price_at_it_or_better(side: Side, worse: int, better: int) -> None:
    slip = Slip(NO_SLIPPAGE, STOCK, side)
    opening = bar(SESSION.start_ns, SESSION.start_ns + MINUTE)
    closing = bar(SESSION.end_ns - MINUTE, SESSION.end_ns)
    for fill, shown, price in ((fill_on_open, opening, 101_00), (fill_on_close, closing, 103_00)):
        assert fill(shown, 0, SESSION, slip, price + worse).quantity == 0
        found = fill(shown, 0, SESSION, slip, price + better)
        assert (found.quantity, found.price) == (1, price)
        assert found.at_open is (fill is fill_on_open)
