"""From which price on a trailing stop may follow: never farther than the bar that moves it."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.backtest.account import LOCAL
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fills.trailing import Trail, fill_trailing_stop, followed_from, stop_behind
from brokerage.domain.models.slippage.model import NO_SLIPPAGE
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState, OrderType

TRADED = instrument("AAA-USD", base="AAA", quote="USD", tick="0.05")
UNIT = 10**TRADED.price_scale // 100
"""A cent."""


def trailing(side: Side, offset: str, kind: TrailOffsetType) -> Order:
    """A trailing stop."""
    return Order(
        LOCAL,
        "one",
        "AAA-USD",
        side,
        D(1),
        type=OrderType.TRAILING_STOP,
        trail_offset=D(offset),
        trail_offset_type=kind,
    )


TRAILS = st.sampled_from(
    [
        ("0.01", TrailOffsetType.FRACTION),
        ("0.0333", TrailOffsetType.FRACTION),
        ("0.9", TrailOffsetType.FRACTION),
        ("1.23", TrailOffsetType.PRICE),
        ("7", TrailOffsetType.TICKS),
    ]
)


@given(TRAILS, st.sampled_from(Side), st.integers(5, 30_000), st.integers(5, 30_000))
def test_a_bar_that_moves_the_stop_is_beyond_the_price(
    trail: tuple[str, TrailOffsetType], side: Side, stop_ticks: int, cents: int
) -> None:
    stop, reference = stop_ticks * TRADED.tick, cents * UNIT
    behind = stop_behind(side, reference, Trail(D(trail[0]), trail[1]), TRADED)
    follows = behind < stop if side is Side.BUY else behind > stop
    bound = followed_from(trailing(side, *trail), stop, TRADED)
    assert bound is not None
    if follows:
        assert reference <= bound if side is Side.BUY else reference >= bound


@pytest.mark.parametrize(
    ("side", "offset", "kind", "cents"),
    [
        (Side.SELL, "0.5", TrailOffsetType.FRACTION, 20_000),
        (Side.BUY, "0.25", TrailOffsetType.FRACTION, 8_000),
        (Side.SELL, "1.5", TrailOffsetType.PRICE, 10_150),
        (Side.BUY, "1.5", TrailOffsetType.PRICE, 9_850),
        (Side.SELL, "2", TrailOffsetType.TICKS, 10_010),
        (Side.BUY, "2", TrailOffsetType.TICKS, 9_990),
    ],
)
def test_the_price_is_where_the_stop_stands_with_its_distance(
    side: Side, offset: str, kind: TrailOffsetType, cents: int
) -> None:
    """A stop at 100: what a bar has to go beyond."""
    found = followed_from(trailing(side, offset, kind), 10_000 * UNIT, TRADED)
    assert found == cents * UNIT - side.sign


def test_a_trail_of_the_whole_price_may_follow_any_bar() -> None:
    assert followed_from(trailing(Side.SELL, "1", TrailOffsetType.FRACTION), 10_000 * UNIT, TRADED) is None


@pytest.mark.parametrize(("high", "stands"), [(101_00, None), (101_50, 100_50)])
def test_an_order_is_told_where_its_stop_stands_only_if_a_bar_has_moved_it(high: int, stands: int | None) -> None:
    """A stop of a sale at 100, which follows a dollar behind the high."""
    order = trailing(Side.SELL, "1", TrailOffsetType.PRICE)
    record = OrderRecord("1", order, TRADED, OrderState.ACCEPTED, OrderState.SUBMITTED, 3, 1, None, 10_000 * UNIT, None)
    bar = Bar(0, 1, 100_50 * UNIT, high * UNIT, 100_25 * UNIT, 101_00 * UNIT, 10**9)
    found = fill_trailing_stop(record, bar, Slip(NO_SLIPPAGE, TRADED, Side.SELL))
    assert (found.quantity, found.stop) == (0, None if stands is None else stands * UNIT)
