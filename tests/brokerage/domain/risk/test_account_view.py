"""An account's money in its base currency, by hand."""

from __future__ import annotations

import pytest

from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.money import currency_scale
from brokerage.domain.risk.account_view import AccountView

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
