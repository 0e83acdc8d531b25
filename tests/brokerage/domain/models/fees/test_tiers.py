"""Tiers of crypto venues, each at its edge: rates in basis points of the venues' own tables, written here once more."""

from __future__ import annotations

import pytest

from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fees.model import Execution, VolumeCount
from brokerage.domain.models.fees.percent import TieredPercentFee
from brokerage.domain.models.fees.tables import crypto, tiers
from brokerage.domain.models.fees.volumes import Traded, TradedVolumes
from brokerage.domain.models.profiles.crypto import kraken_spot
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side

SPOT = instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001")
VALUE = 10_000 * 10**8  # a basis point of it is a dollar
K, M, B = 1_000, 1_000_000, 1_000_000_000

KRAKEN = {0: (25, 40), 10 * K: (20, 35)}
SHARED = {50 * K: (14, 24), 100 * K: (12, 22), 250 * K: (10, 20), 500 * K: (8, 18)}
SHARED |= {M: (6, 16), 2_500 * K: (4, 14), 5 * M: (2, 12), 10 * M: (0, 10)}
COINBASE = {0: (40, 60), 10 * K: (25, 40), 50 * K: (15, 25), 100 * K: (10, 20), M: (8, 18), 15 * M: (6, 16)}
COINBASE |= {75 * M: (3, 12), 250 * M: (0, 8), 400 * M: (0, 5)}
BITFINEX: dict[int, tuple[float, float]] = {0: (10, 20), 500 * K: (8, 20), M: (6, 20), 2_500 * K: (4, 20)}
BITFINEX |= {5 * M: (2, 20), 7_500 * K: (0, 20), 10 * M: (0, 18), 15 * M: (0, 16), 20 * M: (0, 14), 25 * M: (0, 12)}
BITFINEX |= {30 * M: (0, 10), 300 * M: (0, 9), B: (0, 8.5), 3 * B: (0, 7.5), 10 * B: (0, 6), 30 * B: (0, 5.5)}
TABLES: list[tuple[TieredPercentFee, dict[int, tuple[float, float]]]] = [
    (tiers.BITFINEX_SPOT, BITFINEX),
    (tiers.KRAKEN_SPOT, {**KRAKEN, **SHARED}),
    (tiers.KRAKEN_SPOT_FORMER, {0: (16, 26), **SHARED}),
    (tiers.COINBASE_SPOT, {**COINBASE}),
]


def charged(table: TieredPercentFee, volume: int) -> tuple[float, float]:
    """Maker and taker basis points of a sale after a volume, in units of 1e-8 USD."""
    sale = [
        table.charge(Execution(SPOT, Side.SELL, 10**8, VALUE, one, volume=volume))
        for one in (Liquidity.MAKER, Liquidity.TAKER)
    ]
    assert {currency for _, currency in sale} == {"USD"}
    return sale[0][0] / 10**8, sale[1][0] / 10**8


@pytest.mark.parametrize(("table", "wanted"), TABLES, ids=["bitfinex", "kraken", "kraken_former", "coinbase"])
def test_each_tier_begins_at_its_volume_and_not_a_unit_before(
    table: TieredPercentFee, wanted: dict[int, tuple[float, float]]
) -> None:
    assert [tier.from_volume for tier in table.tiers] == [volume * 10**8 for volume in wanted]
    before = None
    for volume, rates in wanted.items():
        assert charged(table, volume * 10**8) == rates
        if before is not None:
            assert charged(table, volume * 10**8 - 1) == before
        before = rates
    assert charged(table, 2**62) == before


def test_what_a_purchase_pays_in() -> None:
    def buys(table: TieredPercentFee) -> tuple[int, str]:
        return table.charge(Execution(SPOT, Side.BUY, 10**8, VALUE, Liquidity.TAKER))

    assert buys(tiers.BITFINEX_SPOT) == (10**8 // 500, "BTC")
    assert buys(tiers.KRAKEN_SPOT) == (40 * 10**8, "USD")
    assert buys(tiers.COINBASE_SPOT) == (60 * 10**8, "USD")


def test_the_first_tiers_are_the_rates_without_volume_where_those_are_of_the_table() -> None:
    assert tiers.BITFINEX_SPOT.tiers[0].fee == crypto.BITFINEX_SPOT
    assert tiers.KRAKEN_SPOT_FORMER.tiers[0].fee == crypto.KRAKEN_SPOT
    assert kraken_spot(tiers.KRAKEN_SPOT).fee is tiers.KRAKEN_SPOT


def test_volume_is_counted_in_dollars_whatever_is_charged() -> None:
    in_coins = instrument("ETH-BTC", base="ETH", quote="BTC", lot="0.00000001")
    table = tiers.KRAKEN_SPOT
    assert table.counts == VolumeCount(30, currency="USD")
    volumes = TradedVolumes()
    volumes.add(Traded(SPOT, 10**8, 10_000 * 10**8), 0)
    volumes.add(Traded(in_coins, 10**8, 10**8), 0)
    own = Traded(in_coins, 0, 0)
    assert table.counts is not None
    assert volumes.before(table.counts, own, 0) == 10_000 * 10**8


def test_volume_in_what_is_traded_is_at_the_scale_of_its_currency_and_never_below_none() -> None:
    pair, count = instrument("USD-JPY", base="USD", quote="JPY", lot="0.01"), VolumeCount(0, currency="USD")
    volumes, none = TradedVolumes(), Traded(pair, 0, 0)
    assert volumes.before(count, none, 0) == 0
    volumes.add(Traded(pair, 12_34, 1_000), 0)
    assert volumes.before(count, none, 0) == 12_34 * 10**6
    assert volumes.before(count, Traded(pair, 12_34, 1_000), 0) == 0  # a month's volume is of before the order
