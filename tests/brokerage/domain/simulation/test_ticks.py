"""Fills on quotes, trades and mark prices, each worked by hand. Prices are dollars, times are seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.instrument import AssetClass, Instrument, TriggerPrice, instrument
from brokerage.domain.market.ticks import STALE_AFTER_NS, Level, MarkTick, QuoteTick, SeenMarket, Tick, TradeTick
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.slippage.model import HalfSpread, VolumeShareSlippage
from brokerage.domain.models.source import Dated
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.simulation.exchange import NOTHING_TO_REDUCE, TRAILED
from brokerage.domain.simulation.ticks import POST_ONLY
from qmtl.core.instants import to_ns

S = 1_000_000_000
BUY, SELL = Side.BUY, Side.SELL
COIN = instrument("X", base="X", quote="USD", price_places=2, asset_class=AssetClass.CRYPTO)
SHARE = instrument("X", base="X", quote="USD", price_places=2, calendar="XNYS")
CAPPED = margin(2, fee="0", participation="0.1")
WHOLE = margin(2, fee="0", participation="0")
Book = Sequence[tuple[str, int]]


def levels(shown: Book) -> tuple[Level, ...]:
    return tuple(Level(int(D(price) * 100), size) for price, size in shown)


def quote(at_s: float, bids: Book, asks: Book) -> QuoteTick:
    return QuoteTick(int(at_s * S), levels(bids), levels(asks))


def trade(at_s: float, price: str, quantity: int) -> TradeTick:
    return TradeTick(int(at_s * S), int(D(price) * 100), quantity)


def mark(at_s: float, price: str) -> MarkTick:
    return MarkTick(int(at_s * S), int(D(price) * 100))


TWO = quote(1, [("99.90", 30), ("99.80", 50)], [("100.10", 20), ("100.30", 40)])


def order(side: Side = BUY, quantity: int = 10, name: str = "o1", **fields: object) -> Order:
    return replace(Order(LOCAL, name, "X", side, D(quantity)), **fields)  # type: ignore[arg-type]  # real fields


def priced(price: str, side: Side = BUY, quantity: int = 10, name: str = "o1", **fields: object) -> Order:
    return order(side, quantity, name, type=OrderType.LIMIT, limit_price=D(price), **fields)


def stop(price: str, side: Side, name: str = "o1") -> Order:
    return order(side, 10, name, type=OrderType.STOP_MARKET, stop_price=D(price))


def desk_with(*ticks: Tick, traded: Instrument = COIN, profile: BrokerageProfile = CAPPED) -> SimulatedAccount:
    desk = SimulatedAccount(profile, {"USD": D(1_000_000)}, instruments=[traded])
    for tick in ticks:
        desk.on_tick("X", tick)
    return desk


def shown(desk: SimulatedAccount, *ticks: Tick) -> list[OrderEvent]:
    return [event for tick in ticks for event in desk.on_tick("X", tick)[0]]


def fills(events: Sequence[OrderEvent]) -> list[tuple[str, int, str]]:
    """Price, quantity and liquidity of each fill."""
    found = [event.fill for event in events if event.fill is not None]
    return [(str(D(one.price) / 100), one.quantity, one.liquidity.value) for one in found]


def told(events: Sequence[OrderEvent]) -> list[str]:
    return [event.kind.value for event in events]


@pytest.mark.parametrize(
    ("side", "quantity", "want"),
    [
        (BUY, 20, [("100.1", 20, "TAKER")]),
        (BUY, 21, [("100.1", 20, "TAKER"), ("100.3", 1, "TAKER")]),
        (BUY, 70, [("100.1", 20, "TAKER"), ("100.3", 40, "TAKER")]),  # ten more than is shown: they rest
        (SELL, 30, [("99.9", 30, "TAKER")]),
        (SELL, 35, [("99.9", 30, "TAKER"), ("99.8", 5, "TAKER")]),
    ],
)
def test_a_market_order_walks_the_levels_that_stand_when_it_arrives(
    side: Side, quantity: int, want: list[tuple[str, int, str]]
) -> None:
    desk = desk_with(TWO)
    desk.submit(order(side, quantity), S)
    events = shown(desk, mark(2, "100"))
    assert fills(events) == want
    assert {event.fill.venue_ns for event in events if event.fill} == {S}  # when it arrived, told by the next tick
    assert desk.record("o1").remaining == quantity - sum(one[1] for one in want)


def test_what_an_order_took_of_a_quote_no_other_gets_and_the_next_quote_is_whole() -> None:
    desk = desk_with(TWO)
    desk.submit(order(BUY, 25), S)
    desk.submit(order(BUY, 40, "o2"), S)
    assert fills(shown(desk, mark(2, "100"))) == [
        ("100.1", 20, "TAKER"),
        ("100.3", 5, "TAKER"),
        ("100.3", 35, "TAKER"),
    ]
    assert fills(shown(desk, replace(TWO, at_ns=3 * S))) == [("100.1", 5, "TAKER")]


def test_an_order_meets_the_book_of_its_arrival_not_of_its_decision() -> None:
    desk = SimulatedAccount(CAPPED, {"USD": D(10_000)}, instruments=[COIN], latency_ns=2 * S)
    desk.on_tick("X", TWO)
    desk.submit(order(), S)  # arrives at 3 s
    later = quote(2.5, [("101", 9)], [("102", 4)])
    assert shown(desk, later, trade(2.9, "100.20", 1000)) == []
    events = shown(desk, quote(3.5, [("103", 9)], [("104", 9)]))
    assert fills(events) == [("102", 4, "TAKER"), ("104", 6, "TAKER")]
    assert [event.fill.venue_ns for event in events if event.fill] == [3 * S, int(3.5 * S)]


@pytest.mark.parametrize(("late_ns", "filled"), [(0, True), (1, False)])
def test_a_quote_of_an_hour_before_the_order_prices_it_an_older_one_does_not(late_ns: int, *, filled: bool) -> None:
    desk = desk_with(TWO)
    desk.submit(order(), S + STALE_AFTER_NS + late_ns)
    assert bool(fills(shown(desk, mark(7200, "100")))) is filled


def test_without_quotes_a_market_order_takes_its_share_of_each_trade_moved_by_slippage() -> None:
    desk = desk_with(trade(1, "100", 500), profile=margin(2, fee="0", participation="0.1", slippage="0.001"))
    desk.submit(order(BUY, 12), S)
    events = shown(desk, trade(2, "100", 95), trade(3, "101", 95))
    assert fills(events) == [("100.1", 9, "TAKER"), ("101.11", 3, "TAKER")]  # 9.5 of 95, down to the lot; up to a tick


def test_a_trade_is_shared_by_the_orders_of_an_account_first_come_first_served() -> None:
    desk = desk_with(trade(1, "100", 500))
    desk.submit(order(BUY, 7), S)
    desk.submit(order(BUY, 7, "o2"), S)
    assert fills(shown(desk, trade(2, "100", 100))) == [("100", 7, "TAKER"), ("100", 3, "TAKER")]


def test_where_there_is_a_quote_a_market_order_takes_no_part_in_trades() -> None:
    desk = desk_with(trade(0.5, "100", 9), quote(1, [("99", 5)], []))
    desk.submit(order(), S)
    assert shown(desk, trade(2, "100", 1000)) == []
    assert fills(shown(desk, trade(3700, "100", 1000))) == [("100", 10, "TAKER")]  # the quote is older than an hour


def test_half_the_spread_moves_a_fill_at_a_trade_and_none_at_a_quote() -> None:
    profile = replace(CAPPED, slippage=HalfSpread())
    desk = desk_with(TWO, profile=profile)
    desk.submit(order(), S)
    assert fills(shown(desk, mark(2, "100"))) == [("100.1", 10, "TAKER")]
    opening = order(tif=TimeInForce.AT_OPEN)
    opens = to_ns(datetime(2024, 12, 2, 14, 30, tzinfo=UTC))
    desk = desk_with(replace(TWO, at_ns=opens - 2 * S), traded=SHARE, profile=profile)
    desk.submit(opening, opens - S)
    assert fills(shown(desk, TradeTick(opens, 100_00, 1000))) == [("100.1", 10, "TAKER")]  # 100 + (100.1 - 99.9) / 2


def test_the_share_of_volume_is_of_the_bids_size_for_a_purchase_and_of_the_asks_for_a_sale() -> None:
    """Lean's model: 0.1 x min(q / size, 2.5 %)^2 of the price; 10 / 1000 = 1 %: 1e-5 of the price, up to a cent."""
    shown_book = quote(1, [("9990", 1000)], [("10010", 100)])
    for side, price in ((BUY, "10010.11"), (SELL, "9989.37")):  # sale: 10 / 100, cut to 2.5 %: 6.25e-5 of 9990 = .624
        desk = desk_with(shown_book, profile=replace(CAPPED, slippage=VolumeShareSlippage()))
        desk.submit(order(side), S)
        assert fills(shown(desk, mark(2, "10000"))) == [(price, 10, "TAKER")]


@pytest.mark.parametrize(
    ("limit", "side", "want"),
    [
        ("100.10", BUY, [("100.1", 20, "TAKER")]),
        ("100.09", BUY, []),
        ("100.30", BUY, [("100.1", 20, "TAKER"), ("100.3", 10, "TAKER")]),
        ("99.90", SELL, [("99.9", 30, "TAKER")]),
        ("99.91", SELL, []),
    ],
)
def test_a_limit_that_arrives_takes_up_to_its_price_and_rests_with_what_is_left(
    limit: str, side: Side, want: list[tuple[str, int, str]]
) -> None:
    desk = desk_with(TWO)
    desk.submit(priced(limit, side, 30), S)
    assert fills(shown(desk, mark(2, "100"))) == want


@pytest.mark.parametrize(
    ("side", "tick", "want"),
    [
        (BUY, quote(2, [("98", 5)], [("99", 4), ("99.50", 3), ("99.51", 9)]), [("99.5", 4), ("99.5", 3)]),
        (BUY, quote(2, [("98", 5)], [("99.51", 40)]), []),
        (SELL, quote(2, [("100.50", 7), ("100.49", 9)], [("101", 5)]), [("100.5", 7)]),
        (BUY, trade(2, "99.49", 100), [("99.5", 10)]),
        (BUY, trade(2, "99.50", 100), []),
        (SELL, trade(2, "100.51", 60), [("100.5", 6)]),
        (SELL, trade(2, "100.50", 100), []),
        (BUY, mark(2, "50"), []),
    ],
)
def test_a_resting_limit_makes_at_its_price_by_quotes_at_it_and_by_trades_beyond_it(
    side: Side, tick: Tick, want: list[tuple[str, int]]
) -> None:
    desk = desk_with(TWO)
    desk.submit(priced("99.50" if side is BUY else "100.50", side), S)
    assert fills(shown(desk, tick)) == [(*one, "MAKER") for one in want]


def test_a_profile_may_fill_a_limit_by_trades_at_it() -> None:
    for side, limit, beside in ((BUY, "99.50", "99.51"), (SELL, "100.50", "100.49")):
        desk = desk_with(TWO, profile=replace(CAPPED, limits_at_touch=True))
        desk.submit(priced(limit, side), S)
        assert shown(desk, trade(2, beside, 100)) == []
        assert fills(shown(desk, trade(3, limit, 100))) == [(limit.rstrip("0"), 10, "MAKER")]


def test_whole_fills_look_at_no_size() -> None:
    desk = desk_with(TWO, profile=WHOLE)
    desk.submit(order(BUY, 500), S)
    desk.submit(priced("99.50", BUY, 300, name="o2"), S)
    assert fills(shown(desk, trade(2, "99.40", 1))) == [("100.1", 500, "TAKER"), ("99.5", 300, "MAKER")]
    desk.submit(order(SELL, 800, "o3"), 2 * S)
    assert fills(shown(desk, mark(3, "100"))) == [("99.9", 800, "TAKER")]


def test_a_post_only_order_that_would_take_ends_and_one_that_rests_makes() -> None:
    desk = desk_with(TWO, trade(1, "100.20", 1))  # by its last price the order would rest; the book decides
    desk.submit(priced("100.10", post_only=True), S)
    [ended] = shown(desk, mark(2, "100"))
    assert (ended.kind.value, ended.detail) == ("CANCELED", POST_ONLY)
    desk = desk_with(TWO)
    desk.submit(priced("99.50", post_only=True), S)
    assert fills(shown(desk, quote(2, [], [("99.40", 50)]))) == [("99.5", 10, "MAKER")]


@pytest.mark.parametrize(
    ("tif", "quantity", "want"),
    [
        (TimeInForce.IOC, 60, ["FILLED", "FILLED"]),
        (TimeInForce.IOC, 61, ["FILLED", "FILLED", "EXPIRED"]),
        (TimeInForce.FOK, 60, ["FILLED", "FILLED"]),
        (TimeInForce.FOK, 61, ["EXPIRED"]),
    ],
)
@pytest.mark.parametrize("limit", [None, "100.30"])
def test_immediate_orders_are_decided_by_the_book_at_arrival(
    tif: TimeInForce, quantity: int, want: list[str], limit: str | None
) -> None:
    desk = desk_with(TWO)
    made = order(BUY, quantity, tif=tif) if limit is None else priced(limit, BUY, quantity, tif=tif)
    desk.submit(made, S)
    assert told(shown(desk, mark(2, "100"))) == want


def test_without_a_book_immediate_orders_are_decided_by_the_first_quote_or_trade() -> None:
    for tif, tick, want in (
        (TimeInForce.FOK, trade(3, "100", 99), ["EXPIRED"]),
        (TimeInForce.FOK, trade(3, "100", 100), ["FILLED"]),
        (TimeInForce.IOC, trade(3, "100", 99), ["FILLED", "EXPIRED"]),
        (TimeInForce.IOC, trade(3, "100", 9), ["EXPIRED"]),
        (TimeInForce.FOK, replace(TWO, at_ns=3 * S), ["FILLED"]),
    ):
        desk = desk_with(trade(1, "100", 1))
        desk.submit(order(BUY, 10, tif=tif), S)
        assert shown(desk, mark(2, "100")) == []
        assert told(shown(desk, tick)) == want


TRIGGERS = [
    # by what, a tick that does not reach 105 from below, one that does
    (TriggerPrice.LAST, BUY, "105", trade(2, "104.99", 100), trade(3, "105", 100)),
    (TriggerPrice.LAST, SELL, "95", trade(2, "95.01", 100), trade(3, "95", 100)),
    (TriggerPrice.QUOTE, BUY, "105", quote(2, [("104", 9)], [("104.99", 90)]), quote(3, [("104", 9)], [("105", 90)])),
    (TriggerPrice.QUOTE, SELL, "95", quote(2, [("95.01", 90)], [("96", 9)]), quote(3, [("95", 90)], [("96", 9)])),
    (TriggerPrice.MARK, BUY, "105", mark(2, "104.99"), mark(3, "105")),
    (TriggerPrice.MARK, SELL, "95", mark(2, "95.01"), mark(3, "95")),
]


@pytest.mark.parametrize(("by", "side", "price", "short", "reaches"), TRIGGERS)
def test_a_stop_is_tested_by_the_trigger_price_of_its_instrument_alone(
    by: TriggerPrice, side: Side, price: str, short: Tick, reaches: Tick
) -> None:
    desk = desk_with(TWO, traded=replace(COIN, trigger=by))
    desk.submit(stop(price, side), S)
    beyond = "200" if side is BUY else "1"
    others = [
        trade(1.5, beyond, 100) if by is not TriggerPrice.LAST else mark(1.5, beyond),
        quote(1.5, [("150", 9)], [("200", 9)]) if by is not TriggerPrice.QUOTE else mark(1.5, beyond),
        quote(1.6, [("99.90", 30)], [("100.10", 30)]) if by is not TriggerPrice.QUOTE else trade(1.6, beyond, 9),
    ]
    assert shown(desk, *others, short) == []
    events = shown(desk, reaches)
    assert told(events) == ["TRIGGERED", "FILLED"]
    here = {BUY: "100.1", SELL: "99.9"} if by is not TriggerPrice.QUOTE else {BUY: "105", SELL: "95"}
    assert fills(events) == [(here[side], 10, "TAKER")]  # of the book as it stands at that instant


def test_a_stop_that_a_trade_reaches_without_quotes_takes_part_in_the_next_trade() -> None:
    desk = desk_with(trade(1, "100", 100))
    desk.submit(stop("105", BUY), S)
    assert told(shown(desk, trade(2, "106", 1000))) == ["TRIGGERED"]
    assert fills(shown(desk, trade(3, "104", 1000))) == [("104", 10, "TAKER")]


def test_a_stop_limit_that_is_reached_takes_up_to_its_limit_and_rests_there() -> None:
    desk = desk_with(TWO)
    desk.submit(order(BUY, 30, type=OrderType.STOP_LIMIT, stop_price=D(100), limit_price=D("100.20")), S)
    events = shown(desk, trade(2, "100", 10))
    assert (told(events), fills(events)) == (["TRIGGERED", "FILLED"], [("100.1", 20, "TAKER")])
    assert fills(shown(desk, quote(3, [("99", 1)], [("100.15", 50)]))) == [("100.2", 10, "MAKER")]


@pytest.mark.parametrize(("side", "short", "reaches"), [(BUY, "98.01", "98"), (SELL, "101.99", "102")])
def test_if_touched_waits_for_the_price_from_the_other_side(side: Side, short: str, reaches: str) -> None:
    desk = desk_with(TWO)
    made = order(side, type=OrderType.LIMIT_IF_TOUCHED, stop_price=D(reaches), limit_price=D("100.10"))
    desk.submit(replace(made, limit_price=D("99.90")) if side is SELL else made, S)
    assert shown(desk, trade(2, short, 100)) == []
    assert told(shown(desk, trade(3, reaches, 100))) == ["TRIGGERED", "FILLED"]


def test_a_trailing_stop_is_tested_then_follows_the_trigger_price() -> None:
    desk = desk_with(trade(1, "100", 100))
    trails = order(SELL, type=OrderType.TRAILING_STOP, trail_offset=D(5), trail_offset_type=TrailOffsetType.PRICE)
    desk.submit(trails, S)
    assert desk.record("o1").stop == 95_00
    [moved] = shown(desk, trade(2, "110", 100))
    assert (moved.kind.value, moved.stop, moved.detail) == ("UPDATED", 105_00, TRAILED)
    assert shown(desk, trade(3, "105.01", 100)) == []
    assert told(shown(desk, trade(4, "105", 100), trade(5, "103", 100))) == ["TRIGGERED", "FILLED"]


def test_a_trailing_stop_limit_works_at_a_limit_beyond_its_stop() -> None:
    desk = desk_with(trade(1, "100", 100))
    trails = order(SELL, type=OrderType.TRAILING_STOP_LIMIT, trail_offset=D(5), limit_offset=D(2))
    desk.submit(replace(trails, trail_offset_type=TrailOffsetType.PRICE), S)
    events = shown(desk, trade(2, "95", 100))
    assert told(events) == ["TRIGGERED", "UPDATED"]
    assert desk.record("o1").limit == 93_00
    assert fills(shown(desk, trade(3, "93", 100), trade(4, "93.01", 1000))) == [("93", 10, "MAKER")]


def test_stops_are_tested_in_regular_hours_and_auctions_are_the_first_and_last_trade_of_a_session() -> None:
    opens = to_ns(datetime(2024, 11, 29, 14, 30, tzinfo=UTC))
    closes = to_ns(datetime(2024, 11, 29, 18, 0, tzinfo=UTC))  # a half day
    desk = desk_with(TradeTick(opens - 9 * S, 100_00, 1000), traded=SHARE)
    desk.submit(stop("105", BUY, name="stop"), opens - 8 * S)
    desk.submit(order(BUY, 30, "open", tif=TimeInForce.AT_OPEN), opens - 7 * S)
    desk.submit(order(SELL, 30, "close", tif=TimeInForce.AT_CLOSE), opens - 6 * S)
    assert shown(desk, TradeTick(opens - 1, 110_00, 1000)) == []
    first = shown(desk, TradeTick(opens, 101_00, 250), TradeTick(opens + 1, 102_00, 1000))
    assert (told(first), fills(first)) == (["FILLED", "EXPIRED"], [("101", 25, "TAKER")])
    assert first[0].fill is not None
    assert first[0].fill.venue_ns == opens
    last = [TradeTick(closes, 103_00, 500), TradeTick(closes + 1, 90_00, 1000)]
    assert shown(desk, TradeTick(closes - 1, 99_00, 1000), last[0]) == []
    ended = shown(desk, last[1])
    assert fills(ended) == [("103", 30, "TAKER")]
    assert [event.fill.venue_ns for event in ended if event.fill] == [closes]


@pytest.mark.parametrize(("side", "limit", "price"), [(BUY, "101", "101"), (BUY, "100.99", ""), (SELL, "101.01", "")])
def test_an_auction_fills_a_limit_at_its_one_price_or_not_at_all(side: Side, limit: str, price: str) -> None:
    opens = to_ns(datetime(2024, 11, 29, 14, 30, tzinfo=UTC))
    desk = desk_with(TradeTick(opens - 9 * S, 100_00, 1000), traded=SHARE)
    desk.submit(priced(limit, side, tif=TimeInForce.AT_OPEN), opens - S)
    events = shown(desk, TradeTick(opens, 101_00, 1000))
    assert fills(events) == ([(price, 10, "TAKER")] if price else [])
    assert told(events)[-1] == ("FILLED" if price else "EXPIRED")


def test_orders_end_by_their_time_before_a_tick_of_that_instant() -> None:
    for at_s, want in ((4.999999999, ["FILLED"]), (5, ["EXPIRED"])):
        desk = desk_with(TWO)
        desk.submit(priced("99.50", tif=TimeInForce.GTD, expire_at_ns=5 * S), S)
        assert told(shown(desk, trade(at_s, "90", 1000))) == want


def test_reduce_only_takes_off_what_is_held_level_by_level_and_ends_without_a_position() -> None:
    desk = desk_with(TWO)
    desk.submit(order(BUY, 40), S)
    shown(desk, mark(2, "100"))
    for name in ("o2", "o3"):
        desk.submit(order(SELL, 40, name, reduce_only=True), 2 * S)
    events = shown(desk, mark(3, "100"))
    assert fills(events) == [("99.9", 30, "TAKER"), ("99.8", 10, "TAKER")]
    ended = events[-1]
    assert (ended.kind.value, ended.detail) == ("CANCELED", NOTHING_TO_REDUCE)


def test_positions_are_valued_at_the_mark_price_else_the_last_trade_else_the_middle() -> None:
    seen = SeenMarket()
    assert seen.value() is None
    for tick, price in (
        (quote(1, [("99", 1)], []), None),
        (quote(1, [("99", 1)], [("100.01", 1)]), 9950),  # 99.505, down to what the scale of prices holds
        (trade(2, "98", 1), 9800),
        (quote(3, [("101", 1)], [("103", 1)]), 9800),
        (mark(4, "97"), 9700),
        (trade(5, "96", 1), 9700),
    ):
        seen.show(tick)
        value = seen.value()
        assert (None if value is None else value.price) == price
    assert value is not None
    assert value.at_ns == 5 * S


def test_an_arrival_before_an_instant_is_charged_for_it() -> None:
    """Funding at 8 s of 1 % on 10 at 100: the order arrived at 1 s, though the tick that tells of it comes at 9 s."""
    profile = replace(WHOLE, funding_rates={"X": (Dated(8 * S, 1_000_000),)})
    desk = desk_with(trade(0.5, "100", 100), replace(TWO, at_ns=S), profile=profile)
    desk.submit(order(), S)
    _, paid = desk.on_tick("X", mark(9, "100"))
    assert [(one.kind.value, one.amount) for one in paid] == [("FUNDING", -10 * 10**8)]
