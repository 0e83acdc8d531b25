"""Percent fees: by side, liquidity, volume and time, each at its edge."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee, TieredPercentFee, VolumeTier
from brokerage.domain.models.fees.tables import crypto
from brokerage.domain.models.source import Dated, value_at
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.errors import NotFound
from qmtl.core.instants import to_ns

SPOT = instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001")
BTC = 10**8
VALUE = SPOT.notional(40_000_00 * SPOT.tick, BTC)


def execution(
    side: Side = Side.BUY, liquidity: Liquidity = Liquidity.TAKER, volume: int = 0, at_ns: int = 0
) -> Execution:
    return Execution(SPOT, side, BTC, VALUE, liquidity, volume=volume, at_ns=at_ns)


@pytest.mark.parametrize(
    ("model", "maker", "taker"),
    [
        (crypto.BINANCE_USDM, "8", "20"),
        (crypto.KRAKEN_SPOT, "64", "104"),
        (crypto.KRAKEN_SPOT_STABLE, "80", "80"),
        (crypto.COINBASE_SPOT_STABLE, "0", "0.4"),
    ],
)
def test_one_coin_at_40_000_pays_by_maker_and_taker(model: PercentFee, maker: str, taker: str) -> None:
    for side in Side:
        assert model.charge(execution(side, Liquidity.MAKER)) == (rate(maker), "USD")
        assert model.charge(execution(side, Liquidity.TAKER)) == (rate(taker), "USD")


@pytest.mark.parametrize("liquidity", list(Liquidity))
def test_binance_spot_takes_a_purchases_fee_from_what_was_bought(liquidity: Liquidity) -> None:
    assert crypto.BINANCE_SPOT.charge(execution(Side.BUY, liquidity)) == (BTC // 1000, "BTC")
    assert crypto.BINANCE_SPOT.charge(execution(Side.SELL, liquidity)) == (40 * 10**8, "USD")


def test_bitfinex_takes_twice_as_much_of_takers() -> None:
    assert crypto.BITFINEX_SPOT.charge(execution(Side.BUY, Liquidity.MAKER)) == (BTC // 1000, "BTC")
    assert crypto.BITFINEX_SPOT.charge(execution(Side.BUY, Liquidity.TAKER)) == (BTC // 500, "BTC")
    assert crypto.BITFINEX_SPOT.charge(execution(Side.SELL, Liquidity.TAKER)) == (80 * 10**8, "USD")


def test_a_fee_is_rounded_half_to_even_at_the_fee_currencys_scale() -> None:
    half = PercentFee(rate("0.5"), rate("0.5"))
    assert [half.charge(Execution(SPOT, Side.SELL, 1, units, Liquidity.TAKER))[0] for units in (1, 2, 3)] == [0, 1, 2]


def test_a_bound_is_the_higher_rate_and_a_unit_an_order() -> None:
    fee = PercentFee(rate("0.001"), rate("0.002"))
    assert fee.bound(SPOT, VALUE, BTC, 3) == 80 * 10**8 + 3
    assert PercentFee(rate("0.002"), rate("0.001")).bound(SPOT, VALUE, BTC) == 80 * 10**8 + 1
    assert PercentFee(-100, -50).bound(SPOT, VALUE, BTC) == 0  # a rebate is not counted on
    assert PercentFee(0, 0).bound(SPOT, VALUE, BTC, 3) == 0


TIERS = TieredPercentFee(
    (
        VolumeTier(0, PercentFee(rate("0.0016"), rate("0.0026"))),
        VolumeTier(50_000 * 10**8, PercentFee(rate("0.0014"), rate("0.0024"))),
        VolumeTier(100_000 * 10**8, PercentFee(rate("0.0012"), rate("0.0022"))),
    )
)


@pytest.mark.parametrize(
    ("volume", "maker", "taker"),
    [
        (0, 64, 104),
        (50_000 * 10**8 - 1, 64, 104),
        (50_000 * 10**8, 56, 96),
        (100_000 * 10**8 - 1, 56, 96),
        (100_000 * 10**8, 48, 88),
        (10**18, 48, 88),
    ],
)
def test_a_tier_begins_at_its_volume(volume: int, maker: int, taker: int) -> None:
    assert TIERS.charge(execution(liquidity=Liquidity.MAKER, volume=volume)) == (maker * 10**8, "USD")
    assert TIERS.charge(execution(liquidity=Liquidity.TAKER, volume=volume)) == (taker * 10**8, "USD")


def test_tiers_are_bounded_by_the_dearest_and_report_the_cheapest() -> None:
    assert TIERS.rates == (rate("0.0012"), rate("0.0022"))
    assert TIERS.bound(SPOT, VALUE, BTC) == 104 * 10**8 + 1


# QuantConnect Lean, CoinbaseFeeModel: the rates changed at 2019-03-23 01:30Z and 2019-10-08 00:30Z
@pytest.mark.parametrize(
    ("at", "maker", "taker"),
    [
        (datetime(2019, 3, 23, 1, 29, 59, tzinfo=UTC), 0, 120),
        (datetime(2019, 3, 23, 1, 30, tzinfo=UTC), 60, 100),
        (datetime(2019, 10, 8, 0, 29, 59, tzinfo=UTC), 60, 100),
        (datetime(2019, 10, 8, 0, 30, tzinfo=UTC), 240, 320),
        (datetime(2026, 1, 1, tzinfo=UTC), 240, 320),
    ],
)
def test_coinbases_rates_are_those_of_the_fills_time(at: datetime, maker: int, taker: int) -> None:
    fee, moment = crypto.COINBASE_SPOT, to_ns(at)
    assert fee.charge(execution(liquidity=Liquidity.MAKER, at_ns=moment))[0] == maker * 10**8
    assert fee.charge(execution(liquidity=Liquidity.TAKER, at_ns=moment))[0] == taker * 10**8
    assert fee.bound(SPOT, VALUE, BTC) == 320 * 10**8 + 1
    assert fee.rates == (0, rate("0.0025"))


def test_before_the_first_row_of_a_table_nothing_is_guessed() -> None:
    with pytest.raises(NotFound, match="E_PROFILE_TABLE_MISSING"):
        value_at((Dated(10, 1), Dated(20, 2)), 9, "rates")
    assert [value_at((Dated(10, 1), Dated(20, 2)), at, "rates") for at in (10, 19, 20)] == [1, 1, 2]


def test_currency_is_quote_unless_said() -> None:
    assert PercentFee().currency is FeeCurrency.QUOTE
    assert PercentFee().rates == (rate("0.001"), rate("0.001"))
