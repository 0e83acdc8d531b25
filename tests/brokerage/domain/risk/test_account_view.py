"""An account's money in its base currency, by hand."""

from __future__ import annotations

import pytest

from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.totals import OpenOrderTotals
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.exposure import Exposure

PAIR = Instruments().find("EURUSD")


@pytest.mark.parametrize(
    ("base", "currency", "amount", "worth"),
    [
        ("USD", "EUR", 100, 125),  # a euro is 1.25 dollars
        ("EUR", "USD", 125, 100),
        ("EUR", "USD", -5, -4),
        ("EUR", "EUR", 7, 7),
        ("JPY", "USD", 0, 0),
        ("JPY", "USD", 1, None),  # nothing joins the two
    ],
)
def test_money_is_worth_what_the_pair_that_joins_the_currencies_says(
    base: str, currency: str, amount: int, worth: int | None
) -> None:
    assert PAIR is not None
    view = AccountView(spot(), Instruments(), base, {})
    view.marks["EURUSD"] = Mark(125 * 10**PAIR.price_scale // 100, 1)
    found = view.in_base(amount * 10 ** currency_scale(currency), currency)
    assert found == (None if worth is None else worth * 10 ** currency_scale(base))


def test_an_exposure_is_converted_in_all_its_parts_or_not_at_all() -> None:
    assert PAIR is not None
    view = AccountView(spot(), Instruments(), "USD", {})
    view.marks["EURUSD"] = Mark(125 * 10**PAIR.price_scale // 100, 1)
    euro, dollar = 10 ** currency_scale("EUR"), 10 ** currency_scale("USD")
    found = Exposure(8 * euro, 4 * euro, -8 * euro)
    assert view.valued(found, "EUR") == Exposure(10 * dollar, 5 * dollar, -10 * dollar)
    assert view.valued(found, "USD") == found
    assert view.valued(found, "JPY") is None


def test_open_purchases_hold_the_currency_that_they_are_paid_in() -> None:
    traded = [instrument("AAPL", base="AAPL", quote="USD"), instrument("SAP", base="SAP", quote="EUR")]
    view = AccountView(spot("0"), Instruments(traded), "USD", {})
    book = view.book(Owner("acc", "w", "s1"))
    for symbol, worth in (("AAPL", 100), ("SAP", 70), ("GONE", 30)):  # the last is no instrument any more
        book.totals[symbol, Side.BUY] = OpenOrderTotals(1, 1, 1, worth)
    assert [view.committed(currency) for currency in ("USD", "EUR", "JPY")] == [100, 70, 0]
