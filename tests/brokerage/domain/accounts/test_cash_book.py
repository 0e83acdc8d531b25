"""The cash book: settled and unsettled cash, conversions, and balances as the sum of entries on random histories."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.cash_book import CashBook, CashEntry, CashKind, converted
from qmtl.core.decimals import INT64_MAX
from qmtl.core.errors import InvalidRequest

USD = 10**8


def entry(
    amount: int, at: int = 0, settles: int = 0, kind: CashKind = CashKind.TRADE, currency: str = "USD"
) -> CashEntry:
    return CashEntry(kind, currency, amount, at, settles)


def balances(book: CashBook, currency: str = "USD") -> tuple[int, int, int]:
    return book.settled.get(currency, 0), book.unsettled(currency), book.total(currency)


def test_proceeds_wait_for_their_day_and_costs_are_paid_at_once() -> None:
    book = CashBook()
    book.post(entry(1_000, kind=CashKind.DEPOSIT))
    book.post(entry(500, at=10, settles=20))
    book.post(entry(-700, at=10, settles=20))
    assert balances(book) == (300, 500, 800)
    assert book.next_settlement_ns() == 20
    assert book.settle(19) == ()
    assert balances(book) == (300, 500, 800)
    assert book.settle(20) == (("USD", 500),)
    assert balances(book) == (800, 0, 800)
    assert (book.settle(20), book.next_settlement_ns()) == ((), None)


def test_what_settles_with_the_trade_is_settled() -> None:
    book = CashBook()
    book.post(entry(500, at=10, settles=10))
    book.post(entry(7, at=10))
    book.post(entry(0, at=10, settles=20))
    assert (balances(book), book.next_settlement_ns()) == ((507, 0, 507), None)


def test_credits_settle_in_the_order_of_their_days() -> None:
    book = CashBook()
    for amount, settles, currency in ((1, 30, "USD"), (2, 20, "EUR"), (3, 20, "USD"), (4, 40, "USD")):
        book.post(entry(amount, at=10, settles=settles, currency=currency))
    assert book.settle(30) == (("EUR", 2), ("USD", 3), ("USD", 1))
    assert balances(book) == (4, 4, 8)


def test_totals_say_of_what_a_balance_is_made() -> None:
    book = CashBook()
    for kind, amount in ((CashKind.FEE, -3), (CashKind.FUNDING, -2), (CashKind.FEE, -4), (CashKind.INTEREST, 1)):
        book.post(entry(amount, kind=kind))
    assert book.totals == {
        ("USD", CashKind.FEE): -7,
        ("USD", CashKind.FUNDING): -2,
        ("USD", CashKind.INTEREST): 1,
    }


def test_an_overflow_is_refused_and_books_nothing() -> None:
    book = CashBook()
    book.post(entry(INT64_MAX))
    for made in (entry(1), entry(1, at=1, settles=2)):
        with pytest.raises(InvalidRequest, match="E_AMOUNT_OVERFLOW"):
            book.post(made)
    assert (balances(book), book.next_settlement_ns()) == ((INT64_MAX, 0, INT64_MAX), None)


def test_a_conversion_moves_two_currencies_and_only_settled_cash() -> None:
    book = CashBook()
    book.post(entry(100 * USD, currency="EUR"))
    book.post(entry(50 * USD, at=1, settles=9, currency="EUR"))
    assert book.convert("EUR", "USD", 100 * USD, Decimal("1.0837"), 2) == 108_37 * USD // 100
    assert (balances(book, "EUR"), balances(book)) == ((0, 50 * USD, 50 * USD), (10_837_000_000, 0, 10_837_000_000))
    for amount in (1, 0, -1):
        with pytest.raises(InvalidRequest, match="E_CASH_INSUFFICIENT"):
            book.convert("EUR", "USD", amount, Decimal(1), 2)
    with pytest.raises(InvalidRequest, match="E_CASH_INSUFFICIENT"):
        book.convert("CHF", "USD", 1, Decimal(1), 2)


@pytest.mark.parametrize(
    ("amount", "source", "target", "price", "want"),
    [
        (100 * USD, "EUR", "USD", "1.0837", 10_837_000_000),
        (-100 * USD, "EUR", "USD", "1.0837", -10_837_000_000),
        (1, "EUR", "USD", "0.5", 0),  # half to even
        (3, "EUR", "USD", "0.5", 2),
        (100 * USD, "USD", "JPY", "151.235", 151_235_000),  # yen are kept at 4 places
        (10_000, "JPY", "USD", "0.0066", 660_000),
    ],
)
def test_a_conversion_is_exact_up_to_the_targets_scale(
    amount: int, source: str, target: str, price: str, want: int
) -> None:
    assert converted(amount, source, target, Decimal(price)) == want


def test_a_conversion_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_AMOUNT_OVERFLOW"):
        converted(10**18, "EUR", "USD", Decimal(10))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(CashKind),
        st.sampled_from(["USD", "EUR", "JPY"]),
        st.integers(-(10**12), 10**12),
        st.integers(0, 5),
        st.integers(0, 10),
    ),
    max_size=40,
)


@given(STEPS)
def test_balances_are_the_sum_of_entries_whatever_settles_when(
    steps: list[tuple[CashKind, str, int, int, int]],
) -> None:
    book, sums, now, due = CashBook(), dict.fromkeys(("USD", "EUR", "JPY"), 0), 0, [0]
    for kind, currency, amount, later, wait in steps:
        now += later
        book.settle(now)
        book.post(CashEntry(kind, currency, amount, now, now + wait))
        sums[currency] += amount
        due.append(now + wait)
        if currency != "USD" and amount > 0 and book.settled.get(currency, 0) > 0:
            spent = min(amount, book.settled[currency])
            sums["USD"] += book.convert(currency, "USD", spent, Decimal("1.0837"), now)
            sums[currency] -= spent
        for name, total in sums.items():
            assert book.total(name) == book.settled.get(name, 0) + book.unsettled(name) == total
            assert sum(value for (code, _), value in book.totals.items() if code == name) == total
            assert book.unsettled(name) >= 0
    book.settle(max(due))
    assert all(book.unsettled(name) == 0 for name in sums)
    assert {name: book.settled.get(name, 0) for name in sums} == sums
