"""Each order type's rule on bars and quotes at its edges, both sides. Prices are in cents, which are ticks here."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL
from brokerage.domain.market.bars import Bar, Quote
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fills.auctions import fill_on_close, fill_on_open
from brokerage.domain.models.fills.immediate import fill_limit_at_worst, fill_resting_market, fill_stop
from brokerage.domain.models.fills.limit import fill_limit
from brokerage.domain.models.fills.matching import match
from brokerage.domain.models.fills.outcome import NoFill
from brokerage.domain.models.fills.stops import fill_stop_limit, fill_stop_market
from brokerage.domain.models.fills.touched import fill_if_touched
from brokerage.domain.models.fills.trailing import (
    Trail,
    limit_after_trigger,
    limit_offset_of,
    step_trailing_stop,
    stop_behind,
    trail_of,
)
from brokerage.domain.models.slippage.model import NO_SLIPPAGE, ConstantSlippage
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState, OrderType
from qmtl.calendars.spans import Span
from qmtl.core.errors import InvalidRequest

STOCK = instrument("AAPL", base="AAPL", quote="USD")
CENT = STOCK.tick
MINUTE = 60_000_000_000
BUY, SELL = Side.BUY, Side.SELL
TENTH = "0.001"  # of the price: a slippage of 10 cents at 100


def bar(opened: int, high: int, low: int, close: int, minute: int = 1) -> Bar:
    start = minute * MINUTE
    return Bar(start, start + MINUTE, opened * CENT, high * CENT, low * CENT, close * CENT, 10_000)


def slip(side: Side, share: str = "0") -> Slip:
    return Slip(ConstantSlippage(rate(share)), STOCK, side, 10, 10_000)


def record(
    side: Side, kind: OrderType, limit: int | None = None, stop: int | None = None, *, triggered: bool = False
) -> OrderRecord:
    return OrderRecord(
        "o",
        Order(LOCAL, "o", "AAPL", side, Decimal(10), type=kind),
        STOCK,
        OrderState.ACCEPTED,
        OrderState.ACCEPTED,
        3,
        10,
        None if limit is None else limit * CENT,
        None if stop is None else stop * CENT,
        None,
        triggered=triggered,
    )


def cents(price: int) -> int:
    assert price % CENT == 0
    return price // CENT


@pytest.mark.parametrize(
    ("side", "limit", "shown", "want", "at_open"),
    [
        (BUY, 9500, (10000, 10100, 9500, 10000), None, False),  # touched is not traded through
        (BUY, 9500, (10000, 10100, 9499, 10000), 9500, False),
        (BUY, 9500, (9500, 10100, 9499, 10000), 9500, False),
        (BUY, 9500, (9400, 10100, 9300, 10000), 9400, True),
        (SELL, 9500, (9000, 9500, 8900, 9000), None, False),
        (SELL, 9500, (9000, 9501, 8900, 9000), 9500, False),
        (SELL, 9500, (9500, 9501, 8900, 9000), 9500, False),
        (SELL, 9500, (9600, 9700, 8900, 9000), 9600, True),
    ],
)
def test_a_limit_needs_a_trade_through_it_and_a_gap_betters_it(
    side: Side, limit: int, shown: tuple[int, int, int, int], want: int | None, at_open: bool
) -> None:
    found = fill_limit(record(side, OrderType.LIMIT, limit), bar(*shown))
    assert (cents(found.price) if found.quantity else None, found.at_open) == (want, at_open)


@pytest.mark.parametrize(
    ("side", "stop", "shown", "want", "at_open"),
    [
        (BUY, 10500, (10000, 10499, 9900, 10000), None, False),
        (BUY, 10500, (10000, 10500, 9900, 10000), 10511, False),  # a touch fills, moved up by 10.5 cents
        (BUY, 10500, (10500, 10600, 9900, 10000), 10511, True),
        (BUY, 10500, (11000, 11100, 10900, 11000), 11011, True),  # a gap fills at the open
        (SELL, 9500, (10000, 10100, 9501, 10000), None, False),
        (SELL, 9500, (10000, 10100, 9500, 10000), 9490, False),
        (SELL, 9500, (9500, 10100, 9400, 10000), 9490, True),
        (SELL, 9500, (9000, 9100, 8900, 9000), 8991, True),
    ],
)
def test_a_stop_fills_where_it_is_touched_and_a_gap_worsens_it(
    side: Side, stop: int, shown: tuple[int, int, int, int], want: int | None, at_open: bool
) -> None:
    found = fill_stop_market(record(side, OrderType.STOP_MARKET, stop=stop), bar(*shown), slip(side, TENTH))
    assert (cents(found.price) if found.quantity else None, found.at_open) == (want, at_open)


@pytest.mark.parametrize(
    ("side", "stop", "limit", "shown", "triggered", "want", "triggers"),
    [
        (BUY, 105, 107, (100, 105, 99, 100), False, None, False),  # strict: a touch does not trigger
        (BUY, 105, 107, (100, 106, 99, 107), False, None, True),  # the close is not below the limit
        (BUY, 105, 107, (100, 106, 99, 106), False, 106, True),  # min(high, limit)
        (BUY, 105, 107, (100, 109, 99, 106), False, 107, True),
        (BUY, 105, 107, (100, 101, 99, 100), True, 101, False),  # the trigger stays
        (BUY, 105, 107, (108, 109, 107, 108), True, None, False),
        (SELL, 95, 93, (100, 101, 95, 100), False, None, False),
        (SELL, 95, 93, (100, 101, 94, 93), False, None, True),
        (SELL, 95, 93, (100, 101, 94, 94), False, 94, True),  # max(low, limit)
        (SELL, 95, 93, (100, 101, 91, 94), False, 93, True),
        (SELL, 95, 93, (100, 101, 99, 100), True, 99, False),
        (SELL, 95, 93, (92, 93, 91, 92), True, None, False),
    ],
)
def test_a_stop_limit_triggers_strictly_and_fills_by_the_close(
    side: Side,
    stop: int,
    limit: int,
    shown: tuple[int, int, int, int],
    triggered: bool,
    want: int | None,
    triggers: bool,
) -> None:
    made = record(side, OrderType.STOP_LIMIT, limit, stop, triggered=triggered)
    found = fill_stop_limit(made, bar(*shown))
    assert (cents(found.price) if found.quantity else None, found.triggered) == (want, triggers)


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "shown", "quote", "triggered", "want", "triggers"),
    [
        (BUY, 95, 97, (100, 101, 96, 100), (96, 97), False, None, False),
        (BUY, 95, 97, (100, 101, 95, 100), (96, 97), False, 97, True),  # a touch triggers
        (BUY, 95, 97, (100, 101, 95, 100), (97, 98), False, None, True),
        (BUY, 95, 97, (100, 101, 95, 100), (94, 95), False, 95, True),  # min(ask, limit)
        (BUY, 95, 97, (100, 101, 95, 96), None, False, None, True),  # trades alone never fill
        (BUY, 95, 97, (100, 101, 99, 100), (96, 97), True, 97, False),
        (SELL, 105, 103, (100, 104, 99, 100), (103, 104), False, None, False),
        (SELL, 105, 103, (100, 105, 99, 100), (103, 104), False, 103, True),
        (SELL, 105, 103, (100, 105, 99, 100), (102, 103), False, None, True),
        (SELL, 105, 103, (100, 105, 99, 100), (106, 107), False, 106, True),  # max(bid, limit)
        (SELL, 105, 103, (100, 105, 99, 104), None, False, None, True),
        (SELL, 105, 103, (100, 101, 99, 100), (103, 104), True, 103, False),
    ],
)
def test_if_touched_waits_for_a_quote_at_the_limit(
    side: Side,
    trigger: int,
    limit: int,
    shown: tuple[int, int, int, int],
    quote: tuple[int, int] | None,
    triggered: bool,
    want: int | None,
    triggers: bool,
) -> None:
    made = record(side, OrderType.LIMIT_IF_TOUCHED, limit, trigger, triggered=triggered)
    found = fill_if_touched(made, bar(*shown), quote and Quote(0, quote[0] * CENT, quote[1] * CENT))
    assert (cents(found.price) if found.quantity else None, found.triggered) == (want, triggers)


FIVE = Trail(Decimal("5"), TrailOffsetType.PRICE)


@pytest.mark.parametrize(
    ("side", "stop", "shown", "want", "moved"),
    [
        (SELL, 9500, (10000, 10200, 9600, 10100), None, 9700),  # follows the high
        (SELL, 9500, (10000, 10000, 9600, 9700), None, 9500),  # the gap is the trail: it stays
        (SELL, 9500, (9800, 9900, 9501, 9600), None, 9500),  # never away from the price
        (SELL, 9500, (10000, 11000, 9500, 10900), 9490, 9500),  # the old stop is tested before it would move
        (SELL, 9500, (9000, 9100, 8900, 9000), 8991, 9500),
        (BUY, 10500, (10000, 10400, 9800, 9900), None, 10300),
        (BUY, 10500, (10000, 10400, 10000, 10300), None, 10500),
        (BUY, 10500, (10200, 10499, 10100, 10400), None, 10500),
        (BUY, 10500, (10000, 10500, 9000, 9100), 10511, 10500),
        (BUY, 10500, (11000, 11100, 10900, 11000), 11011, 10500),
    ],
)
def test_a_trailing_stop_is_tested_before_it_follows(
    side: Side, stop: int, shown: tuple[int, int, int, int], want: int | None, moved: int
) -> None:
    step = step_trailing_stop(stop * CENT, FIVE, bar(*shown), slip(side, TENTH))
    assert (cents(step.match.price) if step.match.quantity else None, cents(step.stop)) == (want, moved)


@pytest.mark.parametrize(
    ("side", "stop", "shown", "want"),
    [
        (SELL, 9500, (10000, 11000, 9500, 10900), 9500),
        (SELL, 9500, (9600, 9700, 9000, 9100), 9090),
        (BUY, 10500, (10000, 10500, 9000, 9100), 10500),
        (BUY, 10500, (10400, 11000, 10300, 10900), 10911),
    ],
)
def test_in_parity_with_lean_a_trailing_stop_fills_at_the_worse_of_stop_and_close(
    side: Side, stop: int, shown: tuple[int, int, int, int], want: int
) -> None:
    step = step_trailing_stop(stop * CENT, FIVE, bar(*shown), slip(side, TENTH), lean_parity=True)
    assert (step.match.quantity, cents(step.match.price)) == (1, want)


@pytest.mark.parametrize(
    ("side", "offset", "kind", "want"),
    [
        (SELL, "5", TrailOffsetType.PRICE, 9500),
        (BUY, "5", TrailOffsetType.PRICE, 10500),
        (SELL, "0.05", TrailOffsetType.FRACTION, 9500),
        (BUY, "0.05", TrailOffsetType.FRACTION, 10500),
        (SELL, "7", TrailOffsetType.TICKS, 9993),
        (BUY, "7", TrailOffsetType.TICKS, 10007),
        (SELL, "0.00001", TrailOffsetType.FRACTION, 9999),  # outward to a tick
        (BUY, "0.00001", TrailOffsetType.FRACTION, 10001),
        (SELL, "100", TrailOffsetType.PRICE, 1),  # one tick at least
    ],
)
def test_a_trail_is_a_price_a_fraction_or_ticks(side: Side, offset: str, kind: TrailOffsetType, want: int) -> None:
    assert cents(stop_behind(side, 10000 * CENT, Trail(Decimal(offset), kind), STOCK)) == want


def test_a_trail_is_exact_at_any_price_scale() -> None:
    fine = instrument("X", base="X", quote="USD", tick="0.000000000000000001")
    one = 10**fine.price_scale
    assert stop_behind(SELL, 43_210 * one, Trail(Decimal("0.1"), TrailOffsetType.FRACTION), fine) == 38_889 * one


@pytest.mark.parametrize(
    ("side", "offset", "want"), [(BUY, "0.5", 10050), (SELL, "0.5", 9950), (BUY, "0.505", 10050), (SELL, "0.505", 9950)]
)
def test_the_limit_of_a_trailing_stop_limit_is_beyond_its_stop_inward_to_a_tick(
    side: Side, offset: str, want: int
) -> None:
    trail = Trail(Decimal(offset), TrailOffsetType.PRICE)
    assert cents(limit_after_trigger(side, 10000 * CENT, trail, STOCK)) == want
    share = Trail(Decimal(offset) / 100, TrailOffsetType.FRACTION)
    assert cents(limit_after_trigger(side, 10000 * CENT, share, STOCK)) == want


SESSION = Span(10 * MINUTE, 20 * MINUTE)


@pytest.mark.parametrize(
    ("accepted", "minute", "fills"),
    [
        (10 * MINUTE, 10, True),  # accepted at the very open
        (10 * MINUTE + 1, 11, False),  # during the session: the next one
        (9 * MINUTE, 9, False),  # a bar before the open
        (9 * MINUTE, 10, True),
        (9 * MINUTE, 12, True),  # the first bar may come late
        (9 * MINUTE, 20, False),  # after the close
    ],
)
def test_on_open_fills_at_the_open_of_a_session_that_comes(accepted: int, minute: int, fills: bool) -> None:
    for side, want in ((BUY, 10010), (SELL, 9990)):
        shown = bar(10000, 10500, 9500, 10300, minute)
        found = fill_on_open(shown, accepted, SESSION, slip(side, TENTH))
        assert (found.quantity, found.why) == ((1, None) if fills else (0, NoFill.NOT_YET))
        assert not fills or (cents(found.price), found.at_open) == (want, True)


@pytest.mark.parametrize(
    ("accepted", "minute", "fills"),
    [
        (0, 19, True),
        (19 * MINUTE + 1, 19, True),  # inside the closing bar, before the close
        (20 * MINUTE - 1, 19, True),
        (20 * MINUTE, 19, False),  # at the close: the next one
        (0, 18, False),
        (0, 20, False),
    ],
)
def test_on_close_fills_at_the_close_of_the_bar_that_ends_the_session(accepted: int, minute: int, fills: bool) -> None:
    for side, want in ((BUY, 10311), (SELL, 10289)):
        found = fill_on_close(bar(10000, 10500, 9500, 10300, minute), accepted, SESSION, slip(side, TENTH))
        assert (found.quantity, found.why) == ((1, None) if fills else (0, NoFill.NOT_YET))
        assert not fills or cents(found.price) == want


def test_a_long_bar_that_holds_the_close_ends_the_session() -> None:
    day = Bar(0, 30 * MINUTE, 1, 2, 1, 200 * CENT, 1)
    assert cents(fill_on_close(day, 0, SESSION, slip(BUY)).price) == 200


@pytest.mark.parametrize(
    ("side", "limit", "fills"), [(BUY, 9999, 0), (BUY, 10000, 1), (SELL, 10001, 0), (SELL, 10000, 1)]
)
def test_a_limit_in_an_auction_fills_at_its_price_or_not(side: Side, limit: int, fills: int) -> None:
    shown = bar(10000, 10500, 9500, 10000, 19)
    session = Span(19 * MINUTE, 20 * MINUTE)
    for auction in (fill_on_open, fill_on_close):
        found = auction(shown, 19 * MINUTE, session, slip(side, TENTH), limit * CENT)
        assert (found.quantity, cents(found.price)) == (fills, 10000 * fills)


def test_a_bar_of_more_than_an_hour_that_holds_the_open_opens_the_session() -> None:
    session = Span(90 * MINUTE, 200 * MINUTE)
    for length, fills in ((60, 0), (61, 1)):
        shown = Bar(40 * MINUTE, (40 + length) * MINUTE, 100 * CENT, 101 * CENT, 99 * CENT, 100 * CENT, 1)
        assert fill_on_open(shown, 0, session, slip(BUY)).quantity == fills


@pytest.mark.parametrize(
    ("side", "stop", "shown", "want"),
    [
        (BUY, 105, (100, 105, 99, 104), None),  # strict, unlike the equity model
        (BUY, 105, (100, 106, 99, 104), 105),
        (BUY, 105, (100, 110, 99, 109), 109),
        (SELL, 95, (100, 101, 95, 96), None),
        (SELL, 95, (100, 101, 94, 96), 95),
        (SELL, 95, (100, 101, 90, 91), 91),
    ],
)
def test_the_immediate_model_fills_stops_at_the_worse_of_stop_and_close(
    side: Side, stop: int, shown: tuple[int, int, int, int], want: int | None
) -> None:
    found = fill_stop(stop * CENT, bar(*shown), slip(side))
    assert found.quantity == (want is not None)
    assert (cents(found.price) if found.quantity else None) == want


@pytest.mark.parametrize(
    ("side", "limit", "shown", "want"),
    [
        (BUY, 95, (100, 101, 95, 96), None),
        (BUY, 95, (100, 101, 94, 96), 95),
        (BUY, 95, (93, 94, 92, 93), 94),
        (SELL, 105, (100, 105, 99, 104), None),
        (SELL, 105, (100, 106, 99, 104), 105),
        (SELL, 105, (108, 109, 107, 108), 107),
    ],
)
def test_the_immediate_model_fills_limits_at_the_worst_of_the_bar(
    side: Side, limit: int, shown: tuple[int, int, int, int], want: int | None
) -> None:
    found = fill_limit_at_worst(side, limit * CENT, bar(*shown))
    assert found.quantity == (want is not None)
    assert (cents(found.price) if found.quantity else None) == want
    assert found.liquidity is Liquidity.MAKER or want is None


@pytest.mark.parametrize(("accepted", "want", "at_open"), [(MINUTE, 100, True), (MINUTE + 1, 103, False)])
def test_on_a_coarse_bar_a_rested_market_order_fills_at_the_open_a_later_one_at_the_close(
    accepted: int, want: int, at_open: bool
) -> None:
    found = fill_resting_market(bar(100, 105, 95, 103), accepted, slip(BUY))
    assert (found.quantity, cents(found.price), found.at_open) == (1, want, at_open)


@pytest.mark.parametrize(
    ("budget", "want", "why"), [(-1, 10, None), (0, 0, NoFill.NO_VOLUME), (1, 1, None), (10, 10, None), (11, 10, None)]
)
def test_what_is_left_of_the_bars_volume_bounds_a_fill(budget: int, want: int, why: NoFill | None) -> None:
    found = match(record(BUY, OrderType.MARKET), bar(100, 101, 99, 100), NO_SLIPPAGE, budget)
    assert (found.quantity, found.why) == (want, why)


def test_an_order_that_does_not_trail_has_no_trail() -> None:
    for offset in (trail_of, limit_offset_of):
        with pytest.raises(InvalidRequest, match="E_PRICE_REQUIRED"):
            offset(Order(LOCAL, "o1", "AAPL", BUY, Decimal(1)))
