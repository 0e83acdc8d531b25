"""Volumes by their unit: what the sample's dollars are in coins, and that a quantity is never overstated."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.bars import bar_from_doubles
from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.volumes import Doubles, volume_in_base
from brokerage.domain.models.fills.participation import volume_budget
from qmtl.core.volumes import VolumeUnit

COIN = instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001")
FUTURE = instrument("ES", base="ES", quote="USD", tick="0.25", multiplier="50")


def column(*values: float) -> Doubles:
    return np.array(values, dtype=np.float64)


def test_a_base_volume_stays_as_it_is() -> None:
    volume = column(1.5, 2.0)
    assert volume_in_base(COIN, volume, column(0, 0), VolumeUnit.BASE) is volume


def test_a_quote_volume_is_divided_by_the_high_and_cut_to_the_scale() -> None:
    found = volume_in_base(COIN, column(50_000_000, 1, 0, 7), column(40_000, 3, 40_000, 0), VolumeUnit.QUOTE)
    assert found.tolist() == [1250.0, 0.33333333, 0.0, 0.0]
    assert volume_in_base(FUTURE, column(1_000_000), column(4_000), VolumeUnit.QUOTE).tolist() == [5.0]


def test_participation_binds_on_a_quote_volume_as_on_coins() -> None:
    """A bar of 50 million dollars at 40,000: a tenth are 125 coins, not 5 million."""
    bars = {}
    for unit in VolumeUnit:
        volume = volume_in_base(COIN, column(50_000_000), column(40_000), unit)[0]
        bars[unit] = bar_from_doubles(COIN, 0, 60_000_000_000, (39_000.0, 40_000.0, 39_000.0, 39_500.0, float(volume)))
    taken = {unit: COIN.quantity_decimal(volume_budget(COIN, bar, 10_000_000)) for unit, bar in bars.items()}
    assert taken == {VolumeUnit.QUOTE: Decimal(125), VolumeUnit.BASE: Decimal(5_000_000)}


@given(st.floats(0, 1e12), st.floats(1e-4, 1e7))
def test_a_quantity_is_never_overstated_by_more_than_a_doubles_last_digit(volume: float, high: float) -> None:
    [found] = volume_in_base(COIN, column(volume), column(high), VolumeUnit.QUOTE).tolist()
    exact = Decimal(volume) / Decimal(high)
    assert Decimal(found) <= exact * (1 + Decimal("1e-15"))
    assert Decimal(found) >= exact * (1 - Decimal("1e-15")) - Decimal("0.00000001")
