"""Instruments: notional and lookup."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from brokerage.domain.market.symbols import Instruments
from qmtl.core.decimals import INT64_MAX
from qmtl.core.errors import InvalidRequest
from tests.brokerage.domain.accounts.test_ledger import SPOT


def test_notional_is_exact_and_refuses_what_int64_cannot_hold() -> None:
    assert SPOT.notional(4_029_463, 12_345_678) == round(Fraction(4_029_463 * 12_345_678 * 10**8, 10**2 * 10**8))
    with pytest.raises(InvalidRequest, match="E_AMOUNT_OVERFLOW"):
        SPOT.notional(INT64_MAX, INT64_MAX)


def test_symbol_properties_are_found_by_name_and_never_guessed() -> None:
    table = Instruments()
    found = table.find("ETH-USD")
    assert found is not None
    assert (found.base, found.quote, found.price_scale, found.quantity_scale) == ("ETH", "USD", 24, 8)
    assert table.find("NOSUCH") is None
    assert table.find("DOGE-USD") is None
    es = table.find("ES")
    assert es is not None
    assert es.multiplier == 50


def test_a_symbol_that_no_venue_knows_is_found_nowhere() -> None:
    assert Instruments().anywhere("NOPE") is None
    only_there = replace(SPOT, symbol="THERE")
    assert Instruments(venues={"x": Instruments([only_there])}).anywhere("THERE") == only_there
