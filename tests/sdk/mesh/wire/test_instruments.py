"""Instruments as the brokerage tells them: what accounting here needs is what the brokerage has."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.market.margin_tiers import MarginTier, MarginTiers
from brokerage.domain.market.symbols import Instruments, Source
from brokerage.market.wire import instrument_to_proto
from qmtl.sdk.mesh.wire.instruments import instrument_from_proto


@pytest.mark.parametrize("symbol", [known.symbol for known in Instruments().listed()])
def test_an_instrument_comes_over_with_all_that_accounting_needs(symbol: str) -> None:
    known = Instruments().find(symbol)
    assert known is not None
    told = instrument_from_proto(instrument_to_proto(known, "paper", Source.TABLE))
    assert told == replace(known, quantity_min=told.quantity_min, notional_min=0)


def test_a_fee_in_base_is_as_fine_here_as_at_the_venue() -> None:
    known = Instruments().find("BTCUSDT")
    assert known is not None
    told = instrument_from_proto(instrument_to_proto(known, "paper", Source.TABLE))
    assert told.quantity_decimal(1) == Decimal("0.00000001")
    assert told.quantity_decimal(told.lot) == Decimal("0.00001")


def test_margin_tiers_come_over_as_the_venue_has_them() -> None:
    """Also an amount that is no smooth one: 51 where 50 would be."""
    known = Instruments().find("BTCUSDT")
    assert known is not None
    rows = MarginTier(50_000 * 10**8, 125, 400_000, 0), MarginTier(600_000 * 10**8, 100, 500_000, 51 * 10**8)
    tiered = replace(known, margin_tiers=MarginTiers(rows))
    message = instrument_to_proto(tiered, "paper", Source.VENUE)
    assert [(one.notional_cap, one.leverage_max) for one in message.margin_tiers] == [("50000", 125), ("600000", 100)]
    kept = [(one.maintenance_rate, one.maintenance_amount) for one in message.margin_tiers]
    assert kept == [("0.004", "0"), ("0.005", "51")]
    assert instrument_from_proto(message).margin_tiers == tiered.margin_tiers


def test_dates_of_listing_and_expiry_come_over() -> None:
    known = Instruments().find("ES")
    assert known is not None
    dated = replace(known, listed_ns=5, delisted_ns=10**18)
    told = instrument_from_proto(instrument_to_proto(dated, "paper", Source.TABLE))
    assert (told.listed_ns, told.delisted_ns) == (5, 10**18)
