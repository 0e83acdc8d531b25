"""Daily profits against a ledger folded day by day: nothing is lost, nothing is made up, gaps stay gaps."""

from __future__ import annotations

from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.backtest.booked import BookedFill
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.mark import DAY_NS, day_of
from brokerage.domain.measures.daily import Booked, DailyBooks, daily_books, day_return
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import OPERATOR, Owner, Side
from brokerage.domain.simulation.carry import Payment, book_payment
from qmtl.core.errors import InvalidRequest

X = instrument("X", base="X", quote="USD", lot="0.01", asset_class=AssetClass.CRYPTO)
Y = instrument("Y", base="Y", quote="USD", lot="1", asset_class=AssetClass.EQUITY)
STOCK = instrument("S", base="S", quote="USD", lot="1", asset_class=AssetClass.EQUITY, calendar="XNYS")
OWNERS = [Owner("acc", world, name) for world, name in (("w1", "a"), ("w1", "b"), ("w2", "a"))]
CENT = 10 ** (currency_scale("USD") - 2)
FIRST = 20_000  # 2024-10-04, a Friday
CASH = 100_000_00 * CENT


def at(day: int, hour: int) -> int:
    return day * DAY_NS + hour * DAY_NS // 24


def fill(
    of: Instrument, day: int, hour: int, units: int, cents: int, fee: int = 0, currency: str = "USD"
) -> BookedFill:
    """Signed quantity in lots at a price in cents; the fee in cents."""
    price = of.price_units(D(cents) / 100, "price")
    size = abs(units) * of.lot
    made = Fill(f"{of.symbol}{day}.{hour}.{units}", size, price, fee * CENT, currency, Liquidity.TAKER, at(day, hour))
    return BookedFill(of, Side.BUY if units > 0 else Side.SELL, made, at(day, hour))


def paid(owner: Owner | None, kind: CashKind, day: int, hour: int, cents: int) -> Payment:
    return Payment(owner, "X" if owner else "", kind, "USD", cents * CENT, at(day, hour))


def price_of(of: Instrument, day: int) -> int:
    """The last price of a day in cents, some walk without an end."""
    return 10_000 + (day * 7919 + len(of.symbol) * 31 + ord(of.symbol)) % 977 - 400


def closes(days: range, *of: Instrument, without: int = -1) -> dict[Instrument, dict[int, int]]:
    return {
        one: {day: one.price_units(D(price_of(one, day)) / 100, "price") for day in days if day != without}
        for one in of
    }


def cents(amounts: dict[int, int]) -> dict[int, int]:
    return {day - FIRST: amount // CENT for day, amount in amounts.items()}


entry = st.tuples(
    st.integers(0, 11), st.integers(1, 24), st.integers(0, 2), st.sampled_from([X, Y]),
    st.integers(-40, 40).filter(bool), st.integers(9_000, 11_000), st.integers(0, 50),
)  # fmt: skip
payment = st.tuples(st.integers(0, 11), st.integers(1, 24), st.integers(0, 4), st.integers(-5_000, 5_000))


@given(fills=st.lists(entry, max_size=25), payments=st.lists(payment, max_size=8))
@settings(max_examples=25, deadline=None)
def test_profits_of_strategies_are_the_accounts_change_less_money_moved(
    fills: list[tuple[int, int, int, Instrument, int, int, int]], payments: list[tuple[int, int, int, int]]
) -> None:
    booked: list[Booked] = [
        (OWNERS[who], fill(of, FIRST + day, hour, units, price, fee)) for day, hour, who, of, units, price, fee in fills
    ]
    for day, hour, who, amount in payments:
        owner = OWNERS[who] if who < 3 else None
        kind = (CashKind.FUNDING, CashKind.INTEREST, CashKind.TRANSFER)[max(who - 2, 0)]
        booked.append((owner, paid(owner, kind, FIRST + day, hour, amount)))
    found = daily_books("USD", CASH, closes(range(FIRST, FIRST + 12), X, Y), booked, FIRST + 11)

    ledgers = {owner: Ledger() for owner in (*OWNERS, None)}
    ledgers[None].deposit("USD", CASH)
    before = CASH
    for day in range(FIRST, FIRST + 12):
        moved = 0
        for owner, one in sorted(booked, key=lambda each: each[1].at_ns):
            if day_of(one.at_ns) != day:
                continue
            if isinstance(one, BookedFill):
                ledgers[owner].book(one.instrument, one.side, one.fill)
            else:
                book_payment(lambda who: ledgers[who], ledgers[None], one)
                moved += one.amount if one.kind is CashKind.TRANSFER else 0
        marks = {of.symbol: of.price_units(D(price_of(of, day)) / 100, "price") for of in (X, Y)}
        after = sum(ledger.equity("USD", marks) for ledger in ledgers.values())
        parts = [*found.strategies.values(), *found.others.values(), found.own]
        assert sum(one.profits.get(day, 0) for one in parts) == after - before - moved
        assert all(one.equity[day] == before for one in parts if day in one.equity)
        before = after


def one_of(found: DailyBooks) -> tuple[dict[int, int], dict[int, int]]:
    (days,) = found.strategies.values()
    return cents(dict(days.profits)), cents(dict(days.equity))


def test_a_day_without_a_price_of_what_is_held_is_a_gap_and_so_is_the_next() -> None:
    prices = closes(range(FIRST, FIRST + 5), X, without=FIRST + 1)
    other = closes(range(FIRST, FIRST + 5), Y)
    booked: list[Booked] = [(OWNERS[0], fill(X, FIRST, 3, 100, 10_000))]
    profits, equity = one_of(daily_books("USD", CASH, prices | other, booked, FIRST + 4))
    assert sorted(profits) == [0, 3, 4]
    assert profits[3] == price_of(X, FIRST + 3) - price_of(X, FIRST + 2)
    assert equity[3] == 100_000_00 + price_of(X, FIRST + 2) - 10_000


def test_a_closed_exchange_is_no_gap_and_its_days_compound_into_the_next() -> None:
    prices = closes(range(FIRST, FIRST + 1), STOCK) | closes(range(FIRST, FIRST + 4), Y)
    prices[STOCK] |= closes(range(FIRST + 3, FIRST + 4), STOCK)[STOCK]
    booked: list[Booked] = [
        (OWNERS[0], fill(STOCK, FIRST, 15, 10, 10_000)),
        (OWNERS[0], paid(OWNERS[0], CashKind.BORROW, FIRST + 1, 24, -25)),
    ]
    found = daily_books("USD", CASH, prices, booked, FIRST + 3)
    profits, _ = one_of(found)
    assert profits == {
        0: 10 * (price_of(STOCK, FIRST) - 10_000),
        3: 10 * (price_of(STOCK, FIRST + 3) - price_of(STOCK, FIRST)) - 25,
    }
    assert [day - FIRST for day in found.strategies[OWNERS[0]].closed] == [1, 2]


def test_a_day_on_which_one_of_two_exchanges_trades_is_a_day() -> None:
    prices = closes(range(FIRST, FIRST + 1), STOCK) | closes(range(FIRST, FIRST + 3), X)
    booked: list[Booked] = [
        (OWNERS[0], fill(STOCK, FIRST, 15, 10, 10_000)),
        (OWNERS[0], fill(X, FIRST, 15, 100, 10_000)),
    ]
    found = daily_books("USD", CASH, prices, booked, FIRST + 2)
    profits, _ = one_of(found)
    assert found.strategies[OWNERS[0]].closed == ()
    assert (profits[1], profits[2]) == tuple(price_of(X, FIRST + n) - price_of(X, FIRST + n - 1) for n in (1, 2))


def test_midnight_ends_the_day_before_and_a_day_that_goes_on_is_left_out() -> None:
    booked: list[Booked] = [
        (OWNERS[0], fill(X, FIRST, 24, 100, 10_000)),
        (OWNERS[0], fill(X, FIRST + 2, 1, 100, 10_000)),
    ]
    profits, _ = one_of(daily_books("USD", CASH, closes(range(FIRST, FIRST + 3), X), booked, FIRST + 1))
    assert profits == {0: price_of(X, FIRST) - 10_000, 1: price_of(X, FIRST + 1) - price_of(X, FIRST)}


def test_interest_is_the_strategys_that_trades_alone_and_else_nobodys_as_are_orders_by_hand() -> None:
    prices = closes(range(FIRST, FIRST + 2), X)
    booked: list[Booked] = [
        (OWNERS[0], fill(X, FIRST, 1, 100, price_of(X, FIRST))),
        (None, paid(None, CashKind.INTEREST, FIRST, 5, -300)),
        (None, paid(None, CashKind.TRANSFER, FIRST, 5, 40_000)),
        (Owner("acc", OPERATOR, OPERATOR), fill(X, FIRST, 2, 100, price_of(X, FIRST) - 5)),
    ]
    alone = daily_books("USD", CASH, prices, booked, FIRST)
    assert one_of(alone)[0] == {0: -300}
    assert {owner.strategy_id: cents(dict(one.profits)) for owner, one in alone.others.items()} == {OPERATOR: {0: 5}}
    both = daily_books("USD", CASH, prices, [*booked, (OWNERS[1], fill(X, FIRST, 3, 1, price_of(X, FIRST)))], FIRST)
    assert [cents(dict(one.profits)) for one in both.strategies.values()] == [{0: 0}, {0: 0}]
    assert cents(dict(both.own.profits)) == {0: -300}
    assert both.others == alone.others


@pytest.mark.parametrize(
    ("booked", "told"),
    [
        (fill(instrument("E", base="E", quote="EUR", lot="1"), FIRST, 1, 1, 100), "money in EUR, want all in USD"),
        (fill(X, FIRST, 1, 1, 100, 1, "BNB"), "money in BNB"),
        (Payment(None, "", CashKind.INTEREST, "EUR", 1, at(FIRST, 1)), "money in EUR"),
    ],
)
def test_money_in_several_currencies_has_no_profit_in_one(booked: BookedFill | Payment, told: str) -> None:
    owner = OWNERS[0] if isinstance(booked, BookedFill) else None
    with pytest.raises(InvalidRequest, match=told):
        daily_books("USD", CASH, closes(range(FIRST, FIRST + 1), X), [(owner, booked)], FIRST)


def test_without_capital_there_is_no_return() -> None:
    assert day_return(5, Fraction(200)) == 0.025
    assert day_return(5, Fraction(0)) is None
    assert day_return(5, Fraction(-1)) is None
