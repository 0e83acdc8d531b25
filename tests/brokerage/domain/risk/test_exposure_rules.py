"""What working orders may still do to a position: reduce-only ones never turn it round, and count with the others."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.states import OrderType
from brokerage.domain.orders.totals import OpenOrderTotals, reach
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from brokerage.domain.risk.exposure import Exposure
from brokerage.domain.risk.exposure_rules import exposures
from brokerage.domain.risk.limits import NO_LIMITS, Limits
from qmtl.core.limits import RiskLimits
from tests.brokerage.orders.test_limits import market
from tests.brokerage.samples import GATE, MINUTE, OWNER, STOCK, Book, bar, fence, open_book, order

UNIT = 10**8
MARGIN = margin(10, "0", participation="0")
TIGHT = {
    "position": Limits(position_notional_max=UNIT),
    "gross": Limits(account_gross_max=UNIT),
    "net": Limits(account_net_max=UNIT),
    "world": Limits(world_gross_max=UNIT),
    "leverage": Limits(leverage_max=1),
}
OTHER = replace(OWNER, strategy_id="other")


def holding(held: int, profile: BrokerageProfile = MARGIN) -> SimulatedAccount:
    """An account that holds some at a price of 100, with all it is around far over every limit."""
    made = SimulatedAccount(profile, {"USD": Decimal(10_000)}, instruments=[STOCK], owner=OWNER)
    made.on_bar("AAPL", flat(0))
    side = Side.BUY if held > 0 else Side.SELL
    assert verdict(made, order("hold", side, abs(held)), 1) is None
    made.on_bar("AAPL", flat(1))
    assert made.position("AAPL") == held
    made.view.book(OTHER).totals = {("AAPL", side): OpenOrderTotals(quantity=100_000) for side in Side}
    made.view.world_beside = Exposure(10**15, 10**15, -(10**15))
    return made


def flat(minute: int) -> Bar:
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, 100_00, 100_00, 100_00, 100_00, 10**9)


def verdict(made: SimulatedAccount, wanted: Order, minute: int = 2) -> Denial | None:
    return made.submit(wanted, minute * MINUTE)[-1].denial


def stop(side: Side, quantity: int = 10) -> Order:
    price = Decimal(95) if side is Side.SELL else Decimal(105)
    return order("stop", side, quantity, type=OrderType.STOP_MARKET, stop_price=price, reduce_only=True)


@pytest.mark.parametrize("name", TIGHT)
@pytest.mark.parametrize("held", [10, -10])
def test_a_reduce_only_exit_passes_beside_a_resting_reduce_only_stop(name: str, held: int) -> None:
    made, side = holding(held), Side.SELL if held > 0 else Side.BUY
    made.view.limits = TIGHT[name]
    assert verdict(made, stop(side)) is None
    assert verdict(made, order("exit", side, 10, reduce_only=True)) is None
    made.on_bar("AAPL", flat(2))
    assert made.position("AAPL") == 0


@pytest.mark.parametrize("name", TIGHT)
@pytest.mark.parametrize("held", [10, -10])
def test_an_exit_that_is_not_reduce_only_may_turn_round_what_a_stop_has_closed(name: str, held: int) -> None:
    made, side = holding(held), Side.SELL if held > 0 else Side.BUY
    made.view.limits = TIGHT[name]
    assert verdict(made, stop(side)) is None
    assert verdict(made, order("exit", side, 10)) is not None
    made.cancel("stop", 2 * MINUTE)
    assert verdict(made, order("again", side, 10)) is None
    guard = order("guard", side, 10, reduce_only=True)
    assert verdict(made, guard) is not None


def test_two_reduce_only_sales_pass_where_nothing_may_be_short_or_added() -> None:
    made = holding(10, spot("0", participation="0"))
    assert verdict(made, stop(Side.SELL)) is None
    assert verdict(made, order("a", Side.SELL, 10)) is Denial.SHORT_UNAVAILABLE
    assert verdict(made, order("b", Side.SELL, 10, reduce_only=True)) is None
    made.view.trading = TradingState.REDUCING
    assert verdict(made, order("c", Side.SELL, 10, reduce_only=True)) is None
    made.view.circuit_open = True
    assert verdict(made, order("d", Side.SELL, 10, reduce_only=True)) is None
    made.on_bar("AAPL", flat(2))
    assert made.position("AAPL") == 0


def test_stops_beyond_what_is_held_add_nothing_to_what_others_may_do() -> None:
    made = holding(10)
    made.view.books.pop(OTHER)
    for name in ("a", "b", "c"):
        assert verdict(made, replace(stop(Side.SELL), client_order_id=name)) is None
    assert made.view.exposure() == Exposure(1_000 * UNIT, 1_000 * UNIT, 0)
    made.view.limits = Limits(account_gross_max=1_100 * UNIT)
    assert verdict(made, order("more", Side.BUY, 1)) is None
    assert verdict(made, order("too much", Side.BUY, 1)) is Denial.EXPOSURE_ABOVE_LIMIT


def test_an_order_that_turns_round_with_what_works_is_held_to_the_limit_of_one_order() -> None:
    made = holding(10)
    made.view.limits = Limits(order_notional_max=500 * UNIT)
    assert verdict(made, order("a", Side.SELL, 10)) is None
    assert verdict(made, order("b", Side.SELL, 10)) is Denial.NOTIONAL_ABOVE_LIMIT
    assert verdict(made, order("c", Side.SELL, 5)) is None


def test_a_worlds_limit_of_one_order_counts_what_works_too() -> None:
    made = holding(10)
    made.view.world_limits = RiskLimits(order_notional_max=Decimal(500))
    assert verdict(made, order("a", Side.SELL, 10)) is None
    assert verdict(made, order("b", Side.SELL, 10)) is Denial.NOTIONAL_ABOVE_LIMIT
    made.cancel("a", 2 * MINUTE)
    assert verdict(made, order("c", Side.SELL, 10)) is None


def test_a_small_rest_may_be_sold_though_more_of_it_works() -> None:
    small = replace(STOCK, notional_min=500 * UNIT)
    made = SimulatedAccount(MARGIN, {"USD": Decimal(10_000)}, instruments=[small], owner=OWNER)
    made.on_bar("AAPL", flat(0))
    assert verdict(made, order("hold", Side.BUY, 10), 1) is None
    made.on_bar("AAPL", flat(1))
    assert verdict(made, order("a", Side.SELL, 10)) is None
    assert verdict(made, order("b", Side.SELL, 2)) is None


@pytest.mark.parametrize("name", ["none", *TIGHT])
def test_what_cannot_be_valued_is_above_any_limit_there_is(name: str) -> None:
    """Nothing tells what the euro is worth in dollars, of which the limits are."""
    foreign = instrument("SAP", base="SAP", quote="EUR", price_places=2)
    view = AccountView(MARGIN, Instruments([foreign]), "USD", {}, limits=TIGHT.get(name, NO_LIMITS))
    view.marks["SAP"] = Mark(70_00, 1)
    wanted = order("buy", symbol="SAP")
    refused = exposures(wanted, SizedOrder(1, None, None, None, 0), context_of(view, wanted, foreign, 1, RATE_ONE))
    assert (None if refused is None else refused.denial) == (None if name == "none" else Denial.EXPOSURE_ABOVE_LIMIT)


ORDERS = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=4)


@given(st.sampled_from(Side), st.integers(-6, 6), ORDERS)
def test_the_reach_is_the_furthest_any_sequence_of_fills_comes(
    side: Side, held: int, orders: list[tuple[int, bool]]
) -> None:
    furthest = 0
    for sequence in permutations(orders):
        at = held
        for quantity, reduce_only in sequence:
            left = max(-at * side.sign, 0) if reduce_only else quantity
            at += side.sign * min(quantity, left)
            furthest = max(furthest, (at - held) * side.sign)
    quantity = sum(quantity for quantity, _ in orders)
    assert reach(side, held, quantity, sum(quantity for quantity, only in orders if only)) == furthest


async def test_a_stored_exit_passes_beside_its_stop_in_every_account_of_the_world(database_url: str) -> None:
    async with open_book(database_url, market()) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("hold"))
        await book.show(bar(1))
        await book.fence(fence(2, limits=RiskLimits(gross_notional_max=Decimal(1), short_notional_max=Decimal(1))))
        assert await denied(book, stop(Side.SELL)) is None
        assert await denied(book, order("plain", Side.SELL)) is Denial.POSITION_ABOVE_LIMIT
        assert await denied(book, order("exit", Side.SELL, reduce_only=True)) is None
        assert await book.verify() == 1
        assert await book.show(bar(2)) == 1
        assert await book.verify() == 1


async def denied(book: Book, wanted: Order) -> Denial | None:
    return (await book.submit(wanted, replace(GATE, epoch=2))).record.denial
