"""Levels of a book, the place in a queue, and which of two orders comes first in one bar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.ticks import Level
from brokerage.domain.models.fills.book import left, sweep
from brokerage.domain.models.fills.brackets import Rival, first_filled
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match
from brokerage.domain.models.fills.queue import QueuePosition, passed
from brokerage.domain.orders.order import Side

ASKS = (Level(101, 5), Level(102, 0), Level(103, 10))
BIDS = (Level(99, 5), Level(98, 7), Level(97, 10))


@pytest.mark.parametrize(
    ("side", "quantity", "limit", "want"),
    [
        (Side.BUY, 3, None, [(101, 3)]),
        (Side.BUY, 5, None, [(101, 5)]),
        (Side.BUY, 6, None, [(101, 5), (103, 1)]),
        (Side.BUY, 40, None, [(101, 5), (103, 10)]),  # the book is empty after that
        (Side.BUY, 40, 103, [(101, 5), (103, 10)]),
        (Side.BUY, 40, 102, [(101, 5)]),
        (Side.BUY, 40, 100, []),
        (Side.SELL, 12, None, [(99, 5), (98, 7)]),
        (Side.SELL, 13, None, [(99, 5), (98, 7), (97, 1)]),
        (Side.SELL, 13, 98, [(99, 5), (98, 7)]),
        (Side.SELL, 13, 99, [(99, 5)]),
        (Side.SELL, 13, 100, []),
        (Side.SELL, 0, None, []),
    ],
)
def test_an_order_takes_level_after_level_down_to_its_limit(
    side: Side, quantity: int, limit: int | None, want: list[tuple[int, int]]
) -> None:
    taken = sweep(side, quantity, ASKS if side is Side.BUY else BIDS, limit)
    assert [(level.price, level.quantity) for level in taken] == want


def test_what_is_ahead_in_the_queue_trades_first() -> None:
    place, mine = QueuePosition(100).traded(60)
    assert (place.ahead, mine) == (40, 0)
    place, mine = place.traded(40)
    assert (place.ahead, mine) == (0, 0)
    assert place.traded(7) == (QueuePosition(0), 7)
    assert QueuePosition(100).traded(130) == (QueuePosition(0), 30)


@given(st.integers(0, 1000), st.lists(st.integers(0, 300), max_size=10))
def test_the_order_gets_all_that_trades_beyond_the_queue(ahead: int, trades: list[int]) -> None:
    place, got = QueuePosition(ahead), 0
    for trade in trades:
        place, mine = place.traded(trade)
        got += mine
    assert got == max(sum(trades) - ahead, 0)


@pytest.mark.parametrize(
    ("side", "price", "through"),
    [
        (Side.BUY, 100, False),
        (Side.BUY, 99, True),
        (Side.SELL, 100, False),
        (Side.SELL, 101, True),
        (Side.SELL, 99, False),
    ],
)
def test_a_trade_through_the_limit_ends_its_queue(side: Side, price: int, through: bool) -> None:
    assert passed(side, 100, price) is through


def rival(name: str, side: Side, price: int | None, *, at_open: bool = False) -> Rival:
    return Rival(name, side, NOT_REACHED if price is None else Match(1, price, at_open=at_open))


@pytest.mark.parametrize(
    ("side", "target", "stop", "want"),
    [
        (Side.SELL, (110, False), (90, False), "stop"),  # both inside the bar: the worse
        (Side.SELL, (112, True), (90, False), "target"),  # it opened beyond the target, that came first
        (Side.SELL, (110, False), (88, True), "stop"),
        (Side.SELL, (110, False), None, "target"),
        (Side.SELL, None, (90, False), "stop"),
        (Side.SELL, None, None, None),
        (Side.BUY, (90, False), (110, False), "stop"),
        (Side.BUY, (88, True), (110, False), "target"),
        (Side.BUY, (90, False), (112, True), "stop"),
    ],
)
def test_of_a_bracket_the_worse_side_fills_first_unless_the_open_decided(
    side: Side, target: tuple[int, bool] | None, stop: tuple[int, bool] | None, want: str | None
) -> None:
    rivals = [
        rival(name, side, given and given[0], at_open=bool(given and given[1]))
        for name, given in (("target", target), ("stop", stop))
    ]
    for order in (rivals, rivals[::-1]):
        found = first_filled(order)
        assert (found and found.order_id) == want


def test_of_equals_the_first_given_fills() -> None:
    found = first_filled([rival("a", Side.SELL, 100), rival("b", Side.SELL, 100)])
    assert found is not None
    assert found.order_id == "a"


def test_a_level_that_was_taken_is_less_and_one_without_rest_is_gone() -> None:
    assert left(ASKS, 103, 4) == (Level(101, 5), Level(103, 6))
    assert left(BIDS, 99, 5) == BIDS[1:]
    assert left(BIDS, 98, 8) == (BIDS[0], BIDS[2])
