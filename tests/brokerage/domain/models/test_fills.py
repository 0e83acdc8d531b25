"""Matching rules on bars, each at its edge: what bars do to resting orders of a simulated account."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar, bar_from_doubles, bars_from_doubles
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.orders.events import Liquidity, OrderEvent
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import EventKind, OrderState, OrderType, TimeInForce
from brokerage.domain.simulation.exchange import NOTHING_TO_REDUCE, RESTS
from qmtl.core.errors import InvalidRequest

STOCK = instrument("AAPL", base="AAPL", quote="USD", price_places=2)
MINUTE = 60_000_000_000


def bar(minute: int, opened: int, high: int, low: int, close: int, volume: int = 10_000) -> Bar:
    """A bar in whole dollars."""
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, 100 * opened, 100 * high, 100 * low, 100 * close, volume)


def account(profile: BrokerageProfile | None = None) -> SimulatedAccount:
    desk = SimulatedAccount(profile or margin(1, fee="0"), {"USD": Decimal(100_000)}, instruments=[STOCK])
    desk.on_bar("AAPL", bar(0, 100, 100, 100, 100))
    return desk


def order(side: Side = Side.BUY, quantity: int = 10, **fields: object) -> Order:
    made = Order(LOCAL, "o1", "AAPL", side, Decimal(quantity))
    return replace(made, **fields)  # type: ignore[arg-type]  # the test names real fields


def kinds(events: list[OrderEvent]) -> list[str]:
    return [event.kind.value for event in events]


def played(made: Order, *bars: Bar, profile: BrokerageProfile | None = None) -> tuple[list[str], Decimal | None]:
    """Submit at minute 1 and show the bars: the kinds of events, and the price of the last fill."""
    desk, seen = account(profile), []
    price: Decimal | None = None
    assert kinds(desk.submit(made, MINUTE)) == ["INITIALIZED", "SUBMITTED", "ACCEPTED"]
    for shown in bars:
        events = desk.on_bar("AAPL", shown)
        seen += kinds(events)
        for event in events:
            if event.kind is EventKind.FILLED:
                price = desk.fill_view(event).price
    return seen, price


def test_a_market_order_fills_at_the_open_of_the_first_bar_that_starts_at_its_acceptance() -> None:
    assert played(order(), bar(1, 101, 105, 99, 103)) == (["FILLED"], Decimal(101))


def test_the_running_bar_never_counts() -> None:
    desk = account()
    desk.submit(order(), MINUTE + 1)
    assert desk.on_bar("AAPL", bar(1, 101, 105, 99, 103)) == []
    assert kinds(desk.on_bar("AAPL", bar(2, 102, 105, 99, 103))) == ["FILLED"]


def test_an_order_waits_for_the_bar_after_its_decision() -> None:
    desk = account()
    desk.submit(order(decided_ns=3 * MINUTE), MINUTE)
    assert [desk.on_bar("AAPL", bar(minute, 100, 105, 99, 103)) for minute in (1, 2)] == [[], []]
    assert kinds(desk.on_bar("AAPL", bar(3, 100, 105, 99, 103))) == ["FILLED"]


def test_a_backdated_decision_gains_nothing() -> None:
    desk = account()
    desk.submit(order(decided_ns=0), MINUTE + 1)
    assert desk.on_bar("AAPL", bar(1, 101, 105, 99, 103)) == []


def test_a_market_order_rests_in_a_bar_without_volume_and_says_so_once() -> None:
    empty = [bar(minute, 101, 105, 99, 103, volume=0) for minute in (1, 2)]
    desk = account()
    desk.submit(order(), MINUTE)
    events = desk.on_bar("AAPL", empty[0])
    assert [(event.kind, event.detail) for event in events] == [(EventKind.UPDATED, RESTS)]
    assert desk.on_bar("AAPL", empty[1]) == []
    assert kinds(desk.on_bar("AAPL", bar(3, 101, 105, 99, 103))) == ["FILLED"]
    assert desk.record("o1").detail == ""


@pytest.mark.parametrize(
    ("side", "opened", "high", "low", "close", "filled"),
    [
        (Side.BUY, 100, 101, 95, 100, None),  # touching is not through
        (Side.BUY, 100, 101, 94, 100, 95),
        (Side.BUY, 93, 101, 92, 100, 93),
        (Side.BUY, 95, 101, 94, 100, 95),
        (Side.SELL, 90, 95, 89, 90, None),
        (Side.SELL, 90, 96, 89, 90, 95),
        (Side.SELL, 97, 98, 89, 90, 97),
    ],
)
def test_limit(side: Side, opened: int, high: int, low: int, close: int, filled: int | None) -> None:
    made = order(side, type=OrderType.LIMIT, limit_price=Decimal(95))
    assert played(made, bar(1, opened, high, low, close)) == (["FILLED"] if filled else [], filled and Decimal(filled))


@pytest.mark.parametrize(
    ("side", "opened", "high", "low", "filled"),
    [
        (Side.BUY, 100, 104, 99, None),
        (Side.BUY, 100, 105, 99, 105),
        (Side.BUY, 107, 108, 99, 107),
        (Side.SELL, 110, 111, 106, None),
        (Side.SELL, 110, 111, 105, 105),
        (Side.SELL, 103, 111, 102, 103),
    ],
)
def test_stop_market(side: Side, opened: int, high: int, low: int, filled: int | None) -> None:
    made = order(side, type=OrderType.STOP_MARKET, stop_price=Decimal(105))
    assert played(made, bar(1, opened, high, low, opened)) == (["FILLED"] if filled else [], filled and Decimal(filled))


def test_slippage_moves_market_and_stop_fills_against_the_trader_to_a_tick() -> None:
    profile = margin(1, fee="0", slippage="0.00015")
    assert played(order(), bar(1, 101, 105, 99, 103), profile=profile)[1] == Decimal("101.02")
    assert played(order(Side.SELL), bar(1, 101, 105, 99, 103), profile=profile)[1] == Decimal("100.98")
    stop = order(type=OrderType.STOP_MARKET, stop_price=Decimal(105))
    assert played(stop, bar(1, 100, 106, 99, 100), profile=profile)[1] == Decimal("105.02")
    limit = order(type=OrderType.LIMIT, limit_price=Decimal(95))
    assert played(limit, bar(1, 100, 101, 94, 100), profile=profile)[1] == 95


def test_stop_limit_triggers_strictly_stays_triggered_and_fills_at_the_limit() -> None:
    made = order(type=OrderType.STOP_LIMIT, stop_price=Decimal(105), limit_price=Decimal(103))
    touched, through, back = bar(1, 100, 105, 99, 104), bar(2, 104, 106, 103, 104), bar(3, 104, 104, 101, 102)
    assert played(made, touched) == ([], None)
    assert played(made, touched, through) == (["TRIGGERED"], None)
    assert played(made, touched, through, back) == (["TRIGGERED", "FILLED"], Decimal(103))
    assert played(made, bar(1, 100, 106, 99, 102)) == (["TRIGGERED", "FILLED"], Decimal(103))


def test_volume_participation_fills_in_parts_and_full_fill_at_once() -> None:
    capped = margin(1, fee="0", participation="0.1")
    made = order(quantity=25)
    bars = [bar(minute, 100, 105, 99, 103, volume=100) for minute in (1, 2, 3)]
    assert played(made, bars[0], profile=capped)[0] == ["FILLED"]
    desk = account(capped)
    desk.submit(made, MINUTE)
    filled = [desk.on_bar("AAPL", shown)[0].fill for shown in bars]
    assert [fill.quantity for fill in filled if fill] == [10, 10, 5]
    assert desk.record("o1").state is OrderState.FILLED
    full = account(margin(1, fee="0", participation="0"))
    full.submit(made, MINUTE)
    assert full.on_bar("AAPL", bars[0])[0].fill is not None
    assert full.record("o1").remaining == 0


def test_orders_of_one_strategy_share_the_volume_of_a_bar_in_order_of_acceptance() -> None:
    desk = account(margin(1, fee="0", participation="0.1"))
    desk.submit(order(quantity=8), MINUTE)
    desk.submit(order(quantity=8, client_order_id="o2"), MINUTE)
    desk.on_bar("AAPL", bar(1, 100, 105, 99, 103, volume=100))
    assert (desk.record("o1").filled, desk.record("o2").filled) == (8, 2)


@pytest.mark.parametrize(
    ("tif", "volume", "want"),
    [
        (TimeInForce.IOC, 1000, ["FILLED"]),
        (TimeInForce.IOC, 50, ["FILLED", "EXPIRED"]),
        (TimeInForce.IOC, 0, ["UPDATED", "EXPIRED"]),
        (TimeInForce.FOK, 1000, ["FILLED"]),
        (TimeInForce.FOK, 50, ["EXPIRED"]),
    ],
)
def test_immediate_orders_decide_on_the_first_eligible_bar(tif: TimeInForce, volume: int, want: list[str]) -> None:
    capped = margin(1, fee="0", participation="0.1")
    shown = bar(1, 100, 105, 99, 103, volume=volume)
    assert played(order(tif=tif), shown, bar(2, 100, 105, 99, 103), profile=capped)[0] == want


@pytest.mark.parametrize(
    ("volume", "limit", "why"),
    [
        (0, 110, "NO_VOLUME: nothing traded in the bar"),
        (1000, 90, "NOT_REACHED: the price was not reached"),
        (50, 110, "SHORT: the bar had no more volume for it"),
    ],
)
def test_an_immediate_order_says_why_it_ended_short(volume: int, limit: int, why: str) -> None:
    desk = account(margin(1, fee="0", participation="0.1"))
    desk.submit(order(tif=TimeInForce.IOC, type=OrderType.LIMIT, limit_price=Decimal(limit)), MINUTE)
    last = desk.on_bar("AAPL", bar(1, 100, 105, 99, 103, volume=volume))[-1]
    assert (last.kind, last.detail) == (EventKind.EXPIRED, why)


def test_gtd_and_day_orders_expire_before_they_match() -> None:
    limit = order(type=OrderType.LIMIT, limit_price=Decimal(95))
    timed = replace(limit, tif=TimeInForce.GTD, expire_at_ns=2 * MINUTE)
    assert played(timed, bar(1, 100, 101, 99, 100), bar(2, 94, 101, 90, 100))[0] == ["EXPIRED"]
    coin = instrument("BTC-USD", base="BTC", quote="USD", asset_class=AssetClass.CRYPTO, price_places=2)
    crypto = SimulatedAccount(spot(), {"USD": Decimal(10**6)}, instruments=[coin])
    day = 86_400_000_000_000
    crypto.on_bar("BTC-USD", Bar(day - MINUTE, day, 100, 100, 100, 100, 1))
    made = replace(limit, symbol="BTC-USD", tif=TimeInForce.DAY, limit_price=Decimal("0.95"))
    crypto.submit(made, day + 1)
    assert crypto.on_bar("BTC-USD", Bar(2 * day - MINUTE, 2 * day, 100, 100, 99, 100, 10**9)) == []
    assert kinds(crypto.on_bar("BTC-USD", Bar(2 * day, 2 * day + MINUTE, 90, 90, 90, 90, 10**9))) == ["EXPIRED"]


def test_a_reduce_only_order_never_fills_beyond_the_position() -> None:
    desk = account()
    desk.submit(order(quantity=10), MINUTE)
    desk.on_bar("AAPL", bar(1, 100, 105, 99, 103))
    stop = order(
        Side.SELL, 10, client_order_id="stop", type=OrderType.STOP_MARKET, stop_price=Decimal(90), reduce_only=True
    )
    desk.submit(stop, 2 * MINUTE)
    desk.submit(order(Side.SELL, 6, client_order_id="close"), 2 * MINUTE)
    desk.on_bar("AAPL", bar(2, 100, 105, 99, 103))
    desk.on_bar("AAPL", bar(3, 100, 105, 80, 103))
    assert desk.position("AAPL") == 0
    events = desk.on_bar("AAPL", bar(4, 100, 105, 80, 103))
    assert [(event.kind, event.detail) for event in events] == [(EventKind.CANCELED, NOTHING_TO_REDUCE)]


def test_a_limit_makes_when_it_rested_and_takes_when_it_was_marketable() -> None:
    desk = account()
    desk.submit(order(type=OrderType.LIMIT, limit_price=Decimal(101)), MINUTE)
    desk.submit(order(client_order_id="o2", type=OrderType.LIMIT, limit_price=Decimal(95)), MINUTE)
    first = desk.on_bar("AAPL", bar(1, 100, 101, 99, 100))
    second = desk.on_bar("AAPL", bar(2, 94, 101, 93, 100))
    assert [event.fill.liquidity for event in first + second if event.fill] == [Liquidity.TAKER, Liquidity.MAKER]


def test_a_canceled_order_does_not_fill_and_cancelling_again_changes_nothing() -> None:
    desk = account()
    desk.submit(order(), MINUTE)
    event = desk.cancel("o1", MINUTE)
    assert event is not None
    assert event.kind is EventKind.CANCELED
    assert desk.cancel("o1", MINUTE) is None
    assert desk.on_bar("AAPL", bar(1, 100, 105, 99, 103)) == []


def test_a_price_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_AMOUNT_NOT_FINITE"):
        bar_from_doubles(STOCK, 0, MINUTE, (float("nan"), 1.0, 1.0, 1.0, 1.0))
    column = np.array([float("inf")])
    with pytest.raises(InvalidRequest, match="E_AMOUNT_NOT_FINITE"):
        list(bars_from_doubles(STOCK, np.array([0]), MINUTE, (column, column, column, column, column)))
