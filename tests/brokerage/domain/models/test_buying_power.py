"""What an order may cost at worst: how it is valued when it is taken, and what it holds of the money while it works.

The price is 101 unless said; bars of `samples` open a dollar below where they close and stay within two of it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.accounts import cash as accounts_cash
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.limits import NO_LIMITS, Limits
from tests.brokerage.samples import ACCOUNT, MARKET, MINUTE, OWNER, STOCK, Book, bar, open_book, order

UNIT = 10**8
UNIT_LESS = Decimal("-0.00000001")
FREE_OF_FEES = spot("0", participation="0")
LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT

WORST = [
    (Side.BUY, OrderType.MARKET, None, None, 101),
    (Side.BUY, LIMIT, 90, None, 90),
    (Side.BUY, LIMIT, 150, None, 150),
    (Side.BUY, STOP_LIMIT, 120, 110, 120),
    (Side.BUY, STOP_LIMIT, 20, 110, 20),
    (Side.BUY, STOP, None, 110, 110),
    (Side.BUY, STOP, None, 11, 101),
    (Side.SELL, OrderType.MARKET, None, None, 101),
    (Side.SELL, LIMIT, 11, None, 101),
    (Side.SELL, LIMIT, 150, None, 150),
    (Side.SELL, STOP, None, 90, 101),
    (Side.SELL, STOP, None, 150, 150),
    (Side.SELL, STOP_LIMIT, 80, 90, 101),
    (Side.SELL, STOP_LIMIT, 140, 90, 140),
]
every_order = pytest.mark.parametrize(("side", "kind", "limit", "stop", "worst"), WORST)


def asked(
    name: str, side: Side, quantity: int, kind: OrderType, limit: int | None = None, stop: int | None = None
) -> Order:
    prices = {"limit_price": limit, "stop_price": stop}
    given = {field: Decimal(price) for field, price in prices.items() if price is not None}
    return order(name, side, quantity, type=kind, **given)


def account(profile: BrokerageProfile, cash: Decimal | int = 100_000, limits: Limits = NO_LIMITS) -> SimulatedAccount:
    made = SimulatedAccount(profile, {"USD": Decimal(cash)}, instruments=[STOCK], owner=OWNER, limits=limits)
    made.on_bar("AAPL", bar(0))
    return made


def verdict(made: SimulatedAccount, wanted: Order) -> Denial | None:
    return made.submit(wanted, MINUTE)[-1].denial


@every_order
@pytest.mark.parametrize(("above", "want"), [(0, None), (1, Denial.NOTIONAL_ABOVE_LIMIT)])
def test_a_notional_limit_is_asked_of_the_worst_price(
    side: Side, kind: OrderType, limit: int | None, stop: int | None, worst: int, above: int, want: Denial | None
) -> None:
    bound = Limits(order_notional_max=10 * worst * UNIT - above)
    made = account(margin(10, "0"), limits=bound)
    assert verdict(made, asked("o", side, 10, kind, limit, stop)) is want


@every_order
def test_the_worst_price_is_what_the_order_holds_of_the_money(
    side: Side, kind: OrderType, limit: int | None, stop: int | None, worst: int
) -> None:
    made = account(margin(10, "0"))
    before = made.free("USD")
    assert verdict(made, asked("o", side, 10, kind, limit, stop)) is None
    assert made.free("USD") == before - worst
    made.cancel("o", MINUTE)
    assert made.free("USD") == before


@every_order
@pytest.mark.parametrize(("more", "want"), [(0, None), (UNIT_LESS, Denial.BALANCE_INSUFFICIENT)])
def test_an_order_needs_the_money_of_its_worst_price(
    side: Side, kind: OrderType, limit: int | None, stop: int | None, worst: int, more: Decimal, want: Denial | None
) -> None:
    made = account(margin(1, "0"), 10 * worst + more)
    assert verdict(made, asked("o", side, 10, kind, limit, stop)) is want


def test_the_smallest_order_of_a_venue_is_judged_by_its_own_price() -> None:
    small = replace(STOCK, notional_min=100 * UNIT)
    made = SimulatedAccount(margin(10), {"USD": Decimal(1_000)}, instruments=[small], owner=OWNER)
    made.on_bar("AAPL", bar(0))
    assert verdict(made, asked("a", Side.SELL, 1, LIMIT, 99)) is Denial.NOTIONAL_BELOW_MINIMUM
    assert verdict(made, asked("b", Side.SELL, 1, LIMIT, 100)) is None


def test_a_stop_that_is_touched_already_costs_what_the_market_costs() -> None:
    made = account(spot("0.001", participation="0"))
    assert verdict(made, asked("a", Side.BUY, 8_000, STOP, stop=11)) is Denial.BALANCE_INSUFFICIENT
    assert verdict(made, asked("b", Side.BUY, 989, STOP, stop=11)) is None
    made.on_bar("AAPL", bar(1, 101))
    assert (made.position("AAPL"), made.cash("USD")) == (Decimal(989), Decimal("11.111"))


def test_money_held_by_a_touched_stop_is_not_used_twice() -> None:
    made = account(FREE_OF_FEES)
    assert verdict(made, asked("a", Side.BUY, 900, STOP, stop=11)) is None
    assert verdict(made, asked("b", Side.BUY, 91, OrderType.MARKET)) is Denial.BALANCE_INSUFFICIENT
    assert verdict(made, asked("c", Side.BUY, 90, OrderType.MARKET)) is None
    made.on_bar("AAPL", bar(1, 101))
    assert made.cash("USD") == 10


BARS = st.tuples(st.integers(-600, 600), st.integers(0, 400), st.integers(0, 400))
ASKED = st.tuples(
    st.sampled_from(Side),
    st.sampled_from([OrderType.MARKET, LIMIT, STOP, STOP_LIMIT]),
    st.integers(1, 1_200),
    st.integers(30, 300),
    st.integers(30, 300),
)
STEPS = st.lists(st.tuples(st.lists(ASKED, max_size=4), BARS), min_size=1, max_size=12)


@given(STEPS, st.sampled_from(["0", "0.001"]))
def test_a_cash_account_never_owes_where_bars_open_at_the_mark(
    steps: list[tuple[list[tuple[Side, OrderType, int, int, int]], tuple[int, int, int]]], fee: str
) -> None:
    made, price, rounding = account(spot(fee, participation="0")), 101_00, 0
    for minute, (orders, (moves, up, down)) in enumerate(steps, 1):
        for number, (side, kind, quantity, limit, stop) in enumerate(orders):
            prices = (limit if kind in (LIMIT, STOP_LIMIT) else None, stop if kind in (STOP, STOP_LIMIT) else None)
            made.submit(asked(f"{minute}-{number}", side, quantity, kind, *prices), minute * MINUTE)
            rounding += 1
        close = max(price + moves, 1_00)
        high, low = max(price, close) + up, max(min(price, close) - down, 1)
        made.on_bar("AAPL", Bar(minute * MINUTE, (minute + 1) * MINUTE, price, high, low, close, 10**9))
        price = close
        assert made.cash("USD") >= -Decimal(rounding).scaleb(-8)
        assert made.position("AAPL") >= 0


async def told(book: Book, strategy: str, wanted: Order) -> Denial | None:
    return (await book.submit(replace(wanted, owner=Owner("acc", OWNER.world_id, strategy)))).record.denial


async def reserved(book: Book) -> str:
    return (await book.portfolio()).cash[0].reserved


async def test_a_stored_order_holds_its_worst_price_whatever_the_mark_becomes(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, profile=FREE_OF_FEES)) as book:
        await book.open(replace(ACCOUNT, fee_rate=0))
        await book.show(bar(0))
        touched = await book.submit(asked("o1", Side.BUY, 900, STOP, stop=11))
        assert (touched.record.worst, touched.events[0].worst) == (101_00, 101_00)
        assert await book.order("o1") == touched
        assert await told(book, "s2", asked("a", Side.BUY, 91, OrderType.MARKET)) is Denial.BALANCE_INSUFFICIENT
        await book.show(bar(1, 60, volume=0))
        assert await reserved(book) == "90900"
        assert await told(book, "s2", asked("b", Side.BUY, 150, OrderType.MARKET)) is Denial.BALANCE_INSUFFICIENT
        assert await told(book, "s2", asked("c", Side.BUY, 149, OrderType.MARKET)) is None
        assert await book.verify() == 1
        await book.cancel("o1")
        assert await book.verify() == 1


async def test_an_emulated_stop_holds_its_worst_price_and_once_let_go_the_mark(database_url: str) -> None:
    market = replace(MARKET, profile=FREE_OF_FEES, emulate_stops=True)
    async with open_book(database_url, market) as book:
        await book.open(replace(ACCOUNT, fee_rate=0))
        await book.show(bar(0))
        stored = await book.submit(asked("o1", Side.BUY, 100, STOP, stop=110))
        assert (stored.record.state, stored.record.worst) == (OrderState.EMULATED, 110_00)
        assert await reserved(book) == "11000"
        await book.show(bar(1, 114))
        assert await book.state("o1") is OrderState.ACCEPTED
        assert await reserved(book) == "11500"
        assert await told(book, "s2", asked("a", Side.BUY, 770, OrderType.MARKET)) is Denial.BALANCE_INSUFFICIENT
        assert await told(book, "s2", asked("b", Side.BUY, 769, OrderType.MARKET)) is None
        assert await book.verify() == 1
        assert await book.show(bar(2, 115)) == 2
        money = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
        assert money == {"USD": 65 * UNIT}
