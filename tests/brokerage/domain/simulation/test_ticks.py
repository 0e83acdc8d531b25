"""Orders that take and make on quotes and trades, each worked by hand. Prices are dollars, times are seconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.ticks import STALE_AFTER_NS, Tick, TradeTick
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.slippage.model import HalfSpread, VolumeShareSlippage
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import TimeInForce
from brokerage.domain.simulation.ticks import POST_ONLY
from qmtl.core.instants import to_ns
from tests.brokerage.domain.simulation.on_ticks import (
    BUY,
    CAPPED,
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
    told,
    trade,
)


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


def test_what_the_trade_of_an_auction_has_no_more_of_ends_with_it() -> None:
    opens = to_ns(datetime(2024, 12, 2, 14, 30, tzinfo=UTC))
    desk = desk_with(TradeTick(opens - 2 * S, 100_00, 1), traded=SHARE)
    for name, quantity in (("o1", 60), ("o2", 60), ("o3", 5)):
        desk.submit(order(BUY, quantity, name, tif=TimeInForce.AT_OPEN), opens - S)
    events = shown(desk, TradeTick(opens, 100_00, 1000))  # a tenth of it: 100
    assert fills(events) == [("100", 60, "TAKER"), ("100", 40, "TAKER")]
    assert [(event.order_id, event.kind.value) for event in events] == [
        (desk.record("o1").id, "FILLED"),
        (desk.record("o2").id, "FILLED"),
        (desk.record("o2").id, "EXPIRED"),
        (desk.record("o3").id, "EXPIRED"),
    ]


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


def test_an_order_that_arrives_after_its_end_meets_no_book() -> None:
    desk = SimulatedAccount(CAPPED, {"USD": D(10_000)}, instruments=[COIN], latency_ns=2 * S)
    desk.on_tick("X", TWO)
    desk.submit(priced("100.10", tif=TimeInForce.GTD, expire_at_ns=2 * S), S)  # arrives at 3 s
    assert told(shown(desk, replace(TWO, at_ns=4 * S))) == ["EXPIRED"]
