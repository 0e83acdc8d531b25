"""Stops, auctions, ends and values on ticks, each worked by hand. Prices are dollars, times are seconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from brokerage.domain.market.instrument import TriggerPrice
from brokerage.domain.market.ticks import SeenMarket, Tick, TradeTick
from brokerage.domain.models.source import Dated
from brokerage.domain.orders.order import Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.simulation.exchange import NOTHING_TO_REDUCE, TRAILED
from qmtl.core.instants import to_ns
from tests.brokerage.domain.simulation.on_ticks import (
    BUY,
    COIN,
    SELL,
    SHARE,
    TWO,
    WHOLE,
    S,
    desk_with,
    fills,
    mark,
    order,
    priced,
    quote,
    shown,
    stop,
    told,
    trade,
)

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
