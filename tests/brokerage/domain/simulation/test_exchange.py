"""Order types and times in force through the simulated exchange, at their edges, both sides. Prices are dollars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar, Quote
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.percent import PercentFee, TieredPercentFee, VolumeTier
from brokerage.domain.models.fees.shares import PerShareFee, ShareTier
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.money import rate
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import Order, Side, TrailOffsetType, require_well_formed
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.simulation.exchange import NO_QUOTE, NOTHING_TO_REDUCE, RESTS, TRAILED
from brokerage.domain.trading.commands import send, submit
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import to_ns

MINUTE = 60_000_000_000
DAY = 86_400_000_000_000
BUY, SELL = Side.BUY, Side.SELL
STOCK = instrument("X", base="X", quote="USD", price_places=2, calendar="XNYS")
PLAIN = replace(STOCK, calendar="")
WHOLE = margin(2, fee="0", participation="0")


def at(month: int, day: int, hour: int, minute: int = 0) -> int:
    return to_ns(datetime(2024, month, day, hour, minute, tzinfo=UTC))


def bar(start_ns: int, *ohlc: int, volume: int = 1000, length_ns: int = MINUTE) -> Bar:
    opened, high, low, close = (100 * price for price in ohlc)
    return Bar(start_ns, start_ns + length_ns, opened, high, low, close, volume)


def desk_at(start_ns: int, traded: Instrument = STOCK, profile: BrokerageProfile = WHOLE) -> SimulatedAccount:
    """An account that has seen a bar at 100 until an instant."""
    desk = SimulatedAccount(profile, {"USD": Decimal(1_000_000)}, instruments=[traded])
    desk.on_bar(traded.symbol, bar(start_ns - MINUTE, 100, 100, 100, 100))
    return desk


def order(side: Side = BUY, quantity: int = 10, **fields: object) -> Order:
    return replace(Order(LOCAL, "o1", "X", side, Decimal(quantity)), **fields)  # type: ignore[arg-type]  # real fields


def told(events: list[OrderEvent]) -> list[str]:
    return [event.kind.value for event in events]


def filled_at(events: list[OrderEvent]) -> list[tuple[int, int]]:
    return [(event.fill.price // 100, event.fill.quantity) for event in events if event.fill is not None]


def trailing(side: Side, offset: str = "5", kind: TrailOffsetType = TrailOffsetType.PRICE, **fields: object) -> Order:
    made = order(side, type=OrderType.TRAILING_STOP, trail_offset=Decimal(offset), trail_offset_type=kind)
    return replace(made, **fields)  # type: ignore[arg-type]  # the test names real fields


@pytest.mark.parametrize(
    ("side", "bars", "stops", "price"),
    [
        # behind the mark of 100, then behind each bar's best price, never away from it; touched at the old stop
        (SELL, [(100, 104, 96, 103), (103, 103, 100, 102), (102, 103, 99, 100)], [95, 99, 99], 99),
        (BUY, [(100, 104, 96, 97), (97, 99, 97, 98), (98, 101, 98, 100)], [105, 101, 101], 101),
        # the old stop is tested first: one bar that falls to it and then rises far fills at it
        (SELL, [(100, 120, 95, 119)], [95], 95),
        (BUY, [(100, 105, 80, 81)], [105], 105),
        # a gap through the stop fills at the open
        (SELL, [(90, 95, 88, 94)], [95], 90),
        (BUY, [(110, 112, 104, 105)], [105], 110),
    ],
)
def test_a_trailing_stop_follows_the_price_and_is_tested_before_it_moves(
    side: Side, bars: list[tuple[int, int, int, int]], stops: list[int], price: int
) -> None:
    desk, filled = desk_at(MINUTE, PLAIN), []
    desk.submit(trailing(side), MINUTE)
    for number, (shown, stop) in enumerate(zip(bars, stops, strict=True), start=1):
        assert desk.record("o1").stop == stop * 100
        filled += filled_at(desk.on_bar("X", bar(number * MINUTE, *shown)))
    assert filled == [(price, 10)]


def test_a_trail_is_told_with_each_move() -> None:
    desk = desk_at(MINUTE, PLAIN)
    desk.submit(trailing(SELL, "0.05", TrailOffsetType.FRACTION), MINUTE)
    [moved] = desk.on_bar("X", bar(MINUTE, 100, 120, 99, 110))
    assert (moved.kind.value, moved.stop, moved.detail) == ("UPDATED", 114_00, TRAILED)
    assert desk.on_bar("X", bar(2 * MINUTE, 118, 119, 117, 118)) == []


def test_a_trailing_sale_holds_as_much_as_it_may_come_to_sell_at() -> None:
    desk = desk_at(MINUTE, PLAIN)
    desk.submit(trailing(SELL), MINUTE)
    before = desk.view.committed("USD")
    desk.on_bar("X", bar(MINUTE, 100, 205, 100, 200))
    assert desk.record("o1").stop == 200_00
    assert (before, desk.view.committed("USD")) == (500 * 10**8, 1_000 * 10**8)


@pytest.mark.parametrize(
    ("side", "limit_offset", "bars", "want", "price"),
    [
        # reached, but the close is not better than the limit: it rests as a limit, its stop stays
        (SELL, "2", [(96, 97, 90, 92), (92, 99, 92, 98)], [["TRIGGERED", "UPDATED"], ["FILLED"]], 93),
        (SELL, "2", [(96, 97, 90, 94)], [["TRIGGERED", "UPDATED", "FILLED"]], 93),
        (BUY, "2", [(104, 110, 103, 108), (108, 108, 101, 102)], [["TRIGGERED", "UPDATED"], ["FILLED"]], 107),
        (BUY, "0", [(104, 110, 103, 104)], [["TRIGGERED", "UPDATED", "FILLED"]], 105),
    ],
)
def test_a_trailing_stop_limit_works_a_limit_behind_its_stop(
    side: Side, limit_offset: str, bars: list[tuple[int, int, int, int]], want: list[list[str]], price: int
) -> None:
    desk, seen, filled = desk_at(MINUTE, PLAIN), [], []
    desk.submit(trailing(side, type=OrderType.TRAILING_STOP_LIMIT, limit_offset=Decimal(limit_offset)), MINUTE)
    for number, shown in enumerate(bars, start=1):
        events = desk.on_bar("X", bar(number * MINUTE, *shown))
        seen.append(told(events))
        filled += filled_at(events)
    assert (seen, filled) == (want, [(price, 10)])
    assert desk.record("o1").stop == (95_00 if side is SELL else 105_00)


@pytest.mark.parametrize("kind", [OrderType.STOP_MARKET, OrderType.TRAILING_STOP])
@pytest.mark.parametrize(("side", "shown"), [(SELL, (96, 97, 94, 96)), (BUY, (104, 106, 103, 104))])
def test_a_stop_that_cannot_fill_whole_is_a_market_order_from_then_on(
    kind: OrderType, side: Side, shown: tuple[int, int, int, int]
) -> None:
    for volume, first in ((40, 4), (0, 0), (5, 0)):
        desk = desk_at(MINUTE, PLAIN, margin(2, fee="0"))
        stop = Decimal(95 if side is SELL else 105)
        made = trailing(side) if kind is OrderType.TRAILING_STOP else order(side, type=kind, stop_price=stop)
        desk.submit(made, MINUTE)
        events = desk.on_bar("X", bar(MINUTE, *shown, volume=volume))
        assert told(events) == [name for name in ("TRIGGERED" if volume else "", "FILLED" if first else "") if name]
        calm = desk.on_bar("X", bar(2 * MINUTE, 100, 101, 99, 100))
        assert filled_at(calm) == ([(100, 10 - first)] if volume else [])


@pytest.mark.parametrize(
    ("side", "touch", "miss", "quote", "price"),
    [
        (BUY, (97, 98, 95, 97), (97, 98, 96, 97), (94, 96), 96),
        (BUY, (97, 98, 95, 97), (97, 98, 96, 97), (94, 97), None),
        (SELL, (103, 105, 102, 103), (103, 104, 102, 103), (104, 106), 104),
        (SELL, (103, 105, 102, 103), (103, 104, 102, 103), (103, 106), None),
    ],
)
def test_limit_if_touched_waits_for_a_touch_and_then_for_a_quote(
    side: Side,
    touch: tuple[int, int, int, int],
    miss: tuple[int, int, int, int],
    quote: tuple[int, int],
    price: int | None,
) -> None:
    trigger, limit = (95, 96) if side is BUY else (105, 104)
    made = order(side, type=OrderType.LIMIT_IF_TOUCHED, stop_price=Decimal(trigger), limit_price=Decimal(limit))
    best = Quote(2 * MINUTE, quote[0] * 100, quote[1] * 100)
    desk = desk_at(MINUTE, PLAIN)
    desk.submit(made, MINUTE)
    assert desk.on_bar("X", bar(MINUTE, *miss), best) == []
    assert filled_at(desk.on_bar("X", bar(2 * MINUTE, *touch), best)) == ([] if price is None else [(price, 10)])
    blind = desk_at(MINUTE, PLAIN)
    blind.submit(made, MINUTE)
    [triggered] = blind.on_bar("X", bar(MINUTE, *touch))
    assert (triggered.kind.value, triggered.detail) == ("TRIGGERED", NO_QUOTE)
    assert filled_at(blind.on_bar("X", bar(2 * MINUTE, *miss), best)) == ([] if price is None else [(price, 10)])


@pytest.mark.parametrize(
    ("tif", "decided", "bars", "want"),
    [
        # 2024-11-29 closes at 13:00 New York, 18:00 UTC
        (TimeInForce.AT_OPEN, (11, 29, 14, 29), [((11, 29, 14, 29), 0), ((11, 29, 14, 30), 101)], "FILLED"),
        (TimeInForce.AT_OPEN, (11, 29, 14, 30), [((11, 29, 14, 30), 101)], "FILLED"),
        (TimeInForce.AT_OPEN, (11, 29, 14, 31), [((11, 29, 14, 31), 0), ((12, 2, 14, 30), 101)], "FILLED"),
        (TimeInForce.AT_OPEN, (11, 29, 14, 29), [((11, 29, 18, 0), 0)], "EXPIRED"),
        (TimeInForce.AT_CLOSE, (11, 29, 15, 0), [((11, 29, 17, 58), 0), ((11, 29, 17, 59), 103)], "FILLED"),
        (TimeInForce.AT_CLOSE, (11, 29, 15, 0), [((11, 29, 17, 58), 0), ((11, 29, 18, 0), 0)], "EXPIRED"),
        (TimeInForce.AT_CLOSE, (11, 29, 18, 0), [((11, 29, 18, 0), 0), ((12, 2, 20, 59), 103)], "FILLED"),
        (TimeInForce.DAY, (11, 29, 15, 0), [((11, 29, 17, 59), 0), ((11, 29, 18, 0), 0)], "EXPIRED"),
        (TimeInForce.DAY, (11, 29, 18, 0), [((11, 29, 18, 0), 0), ((12, 2, 21, 0), 0)], "EXPIRED"),
        # the clock goes forward in New York on 2024-03-10: the open is at 13:30 UTC from then on
        (TimeInForce.AT_OPEN, (3, 8, 22, 0), [((3, 11, 13, 29), 0), ((3, 11, 13, 30), 101)], "FILLED"),
        (TimeInForce.AT_CLOSE, (11, 1, 20, 0), [((11, 4, 19, 59), 0), ((11, 4, 20, 59), 103)], "FILLED"),
    ],
)
def test_sessions_decide_auctions_and_days(
    tif: TimeInForce, decided: tuple[int, ...], bars: list[tuple[tuple[int, ...], int]], want: str
) -> None:
    desk = desk_at(at(*decided))
    made = (
        order(tif=tif) if tif is not TimeInForce.DAY else order(type=OrderType.LIMIT, limit_price=Decimal(50), tif=tif)
    )
    desk.submit(made, at(*decided))
    for start, price in bars:
        events = desk.on_bar("X", bar(at(*start), 101, 104, 100, 103))
        assert filled_at(events) == ([(price, 10)] if price else [])
    assert desk.record("o1").state.value == want


@pytest.mark.parametrize("kind", [OrderType.STOP_MARKET, OrderType.TRAILING_STOP])
def test_stops_are_tested_in_regular_hours_only(kind: OrderType) -> None:
    """The day ends at 18:00 UTC; a bar that holds its last minute counts, and a day's bar does."""
    made = trailing(SELL) if kind is OrderType.TRAILING_STOP else order(SELL, type=kind, stop_price=Decimal(95))
    for start, length, price in (
        (at(11, 29, 18), MINUTE, None),
        (at(11, 29, 17, 59), MINUTE, 95),
        (at(11, 29, 17, 59), 2 * MINUTE, 95),
        (at(11, 30, 12), MINUTE, None),
        (at(12, 2, 0), DAY, 95),
    ):
        desk = desk_at(start)
        desk.submit(made, start)
        assert filled_at(desk.on_bar("X", bar(start, 96, 97, 94, 95, length_ns=length))) == (
            [] if price is None else [(price, 10)]
        )
    free = desk_at(at(11, 30, 12), replace(STOCK, calendar=""))
    free.submit(made, at(11, 30, 12))
    assert filled_at(free.on_bar("X", bar(at(11, 30, 12), 96, 97, 94, 95))) == [(95, 10)]


def test_what_an_auction_does_not_fill_is_over() -> None:
    opens = at(12, 2, 14, 30)
    for made in (
        order(tif=TimeInForce.AT_OPEN),
        order(tif=TimeInForce.AT_OPEN, type=OrderType.LIMIT, limit_price=Decimal(101)),
    ):
        desk = desk_at(opens, profile=margin(2, fee="0"))
        desk.submit(made, opens)
        assert told(desk.on_bar("X", bar(opens, 101, 104, 100, 103, volume=30))) == ["FILLED", "EXPIRED"]
    missed = desk_at(opens)
    missed.submit(order(tif=TimeInForce.AT_OPEN, type=OrderType.LIMIT, limit_price=Decimal(100)), opens)
    assert told(missed.on_bar("X", bar(opens, 101, 104, 100, 103))) == ["EXPIRED"]


def test_an_opening_without_trades_waits_for_the_first_trade_of_its_session() -> None:
    opens = at(12, 2, 14, 30)
    desk = desk_at(opens)
    desk.submit(order(tif=TimeInForce.AT_OPEN), opens)
    desk.on_bar("X", bar(opens, 101, 104, 100, 103, volume=0))
    assert filled_at(desk.on_bar("X", bar(opens + MINUTE, 102, 104, 100, 103))) == [(102, 10)]


def test_daily_bars_open_and_close_their_session() -> None:
    decided = at(12, 2, 0)
    for tif, price in ((TimeInForce.AT_OPEN, 101), (TimeInForce.AT_CLOSE, 103)):
        desk = desk_at(decided)
        desk.submit(order(tif=tif), decided)
        assert filled_at(desk.on_bar("X", bar(decided, 101, 104, 100, 103, length_ns=DAY))) == [(price, 10)]


@pytest.mark.parametrize(
    ("traded", "made"),
    [
        (replace(STOCK, calendar=""), order(tif=TimeInForce.DAY)),
        (replace(STOCK, calendar=""), order(tif=TimeInForce.AT_OPEN)),
        (replace(STOCK, asset_class=AssetClass.CRYPTO), order(tif=TimeInForce.AT_CLOSE)),
        (replace(STOCK, asset_class=AssetClass.FOREX), order(tif=TimeInForce.AT_OPEN)),
        (STOCK, order(tif=TimeInForce.AT_CLOSE, type=OrderType.STOP_MARKET, stop_price=Decimal(105))),
    ],
)
def test_a_time_in_force_without_its_sessions_is_denied_by_name(traded: Instrument, made: Order) -> None:
    desk = desk_at(at(12, 2, 15), traded)
    denied = desk.submit(made, at(12, 2, 15))[-1]
    assert denied.denial is Denial.TIME_IN_FORCE_UNSUPPORTED
    assert made.tif.value in denied.detail


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (trailing(SELL, "0"), "trail_offset"),
        (trailing(SELL, "1", TrailOffsetType.FRACTION), "trail_offset"),
        (replace(trailing(SELL), trail_offset=None), "trail_offset"),
        (replace(trailing(SELL), trail_offset_type=None), "trail_offset_type"),
        (replace(trailing(SELL), limit_offset=Decimal(1)), "limit_offset"),
        (trailing(SELL, type=OrderType.TRAILING_STOP_LIMIT), "limit_offset"),
        (trailing(SELL, type=OrderType.TRAILING_STOP_LIMIT, limit_offset=Decimal(-1)), "limit_offset"),
        (trailing(SELL, stop_price=Decimal(90)), "stop_price"),
        (order(trail_offset=Decimal(1)), "trail_offset"),
        (order(trail_offset_type=TrailOffsetType.TICKS), "trail_offset_type"),
    ],
)
def test_offsets_that_make_no_order_are_refused_by_field(made: Order, field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"E_ORDER_MALFORMED.*{field}"):
        require_well_formed(made)


TIERS = TieredPercentFee(
    (VolumeTier(0, PercentFee(rate("0.01"), rate("0.01"))), VolumeTier(1000 * 10**8, PercentFee(0, 0)))
)


def fees(profile: BrokerageProfile, *days: int) -> list[int]:
    """Ten shares bought at 100 on each day of 2024: the fees."""
    desk, found = desk_at(at(1, 1, 0), profile=profile), []
    for number, day in enumerate(days):
        start = at(1, 1, 0) + day * DAY
        desk.on_bar("X", bar(start - MINUTE, 100, 100, 100, 100))
        desk.submit(order(client_order_id=f"o{number}"), start)
        [fill] = [event.fill for event in desk.on_bar("X", bar(start, 100, 101, 99, 100)) if event.fill]
        found.append(fill.fee // 10**6)
    return found


def test_tiers_of_30_days_see_what_was_traded_within_them() -> None:
    tiered = replace(WHOLE, fee=TIERS)
    assert fees(tiered, 0, 1) == [1000, 0]
    assert fees(tiered, 0, 29) == [1000, 0]
    assert fees(tiered, 0, 30) == [1000, 1000]


def test_tiers_of_a_month_see_the_month_before_the_order() -> None:
    by_share = PerShareFee((ShareTier(0, rate("1")), ShareTier(15, rate("0.1"))))
    monthly = replace(WHOLE, fee=by_share)
    assert fees(monthly, 0, 30) == [1000, 550]  # the 31st of January: five at 1, five at 0.1
    assert fees(monthly, 0, 31) == [1000, 1000]  # the 1st of February
    later = replace(WHOLE, fee=PerShareFee((ShareTier(0, rate("1")), ShareTier(25, rate("0.1")))))
    assert fees(later, 0, 25, 30) == [1000, 1000, 550]  # nothing of the month is forgotten


def test_fills_of_one_order_do_not_count_for_its_own_marginal_tiers_twice() -> None:
    by_share = PerShareFee((ShareTier(0, rate("1")), ShareTier(15, rate("0.1"))))
    desk = desk_at(MINUTE, PLAIN, replace(margin(2, fee="0"), fee=by_share))
    desk.submit(order(quantity=20), MINUTE)
    charged = [desk.on_bar("X", bar(minute * MINUTE, 100, 101, 99, 100, volume=100)) for minute in (1, 2)]
    assert [event.fill.fee // 10**6 for events in charged for event in events if event.fill] == [1000, 550]


def test_orders_share_what_may_be_taken_of_a_bar() -> None:
    desk = desk_at(MINUTE, PLAIN, margin(2, fee="0"))  # a tenth of the volume
    for name in ("o1", "o2", "o3"):
        desk.submit(replace(order(quantity=6), client_order_id=name), MINUTE)
    shown = desk.on_bar("X", bar(MINUTE, 100, 101, 99, 100, volume=100))
    assert filled_at(shown) == [(100, 6), (100, 4)]
    assert [(event.kind.value, event.detail) for event in shown if event.fill is None] == [("UPDATED", RESTS)]
    again = desk.on_bar("X", bar(2 * MINUTE, 100, 101, 99, 100, volume=20))
    assert filled_at(again) == [(100, 2)]
    assert [desk.record(name).remaining for name in ("o1", "o2", "o3")] == [0, 0, 6]


def test_what_only_reduces_takes_no_more_than_is_held_and_ends_with_it() -> None:
    desk = desk_at(MINUTE, PLAIN)
    desk.submit(replace(order(quantity=4), client_order_id="in"), MINUTE)
    desk.on_bar("X", bar(MINUTE, 100, 101, 99, 100))
    for name in ("o1", "o2"):
        close = order(SELL, 3, type=OrderType.LIMIT, limit_price=Decimal(105), reduce_only=True)
        desk.submit(replace(close, client_order_id=name), 2 * MINUTE)
    shown = desk.on_bar("X", bar(2 * MINUTE, 106, 107, 105, 106))
    assert filled_at(shown) == [(106, 3), (106, 1)]
    ended = desk.on_bar("X", bar(3 * MINUTE, 106, 107, 105, 106))
    assert [(event.kind.value, event.detail) for event in ended] == [("CANCELED", NOTHING_TO_REDUCE)]
    assert desk.position("X") == 0


@pytest.mark.parametrize(("is_sent", "want"), [(False, ["EXPIRED"]), (True, [])])
def test_an_order_that_has_not_left_ends_by_its_time_and_one_on_the_wire_is_the_venues(
    is_sent: bool, want: list[str]
) -> None:
    begin = at(6, 3, 14)
    desk = desk_at(begin, PLAIN)
    gone = order(type=OrderType.LIMIT, limit_price=Decimal(90), tif=TimeInForce.GTD, expire_at_ns=begin + MINUTE)
    [first, *_] = submit(desk.view, gone, EventTime(begin, begin), until=EventKind.RELEASED)
    if is_sent:
        send(desk.book, first.order_id, EventTime(begin, begin))
    assert told(desk.on_bar("X", bar(begin, 100, 100, 100, 100))) == []
    assert told(desk.on_bar("X", bar(begin + MINUTE, 100, 100, 100, 100))) == want
