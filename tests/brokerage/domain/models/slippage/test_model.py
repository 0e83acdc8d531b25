"""Slippage models: values worked by hand and from the paper, at the edges of share, volume and tick."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.slippage.impact import (
    Draws,
    ImpactMarket,
    ImpactParameters,
    impact_distance,
    impact_share,
)
from brokerage.domain.models.slippage.model import (
    NO_SLIPPAGE,
    ConstantSlippage,
    HalfSpread,
    SlippageModel,
    Taken,
    VolumeShareSlippage,
)
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.money import rate
from brokerage.domain.orders.order import Side

STOCK = instrument("AAPL", base="AAPL", quote="USD")
COIN = instrument("BTC-USD", base="BTC", quote="USD", asset_class=AssetClass.CRYPTO)
FUTURE = instrument("ES", base="ES", quote="USD", tick="0.25", asset_class=AssetClass.FUTURE)
PAIR = instrument("EURUSD", base="EUR", quote="USD", asset_class=AssetClass.FOREX)


def moved(model: SlippageModel, side: Side, cents: int, quantity: int = 0, volume: int = 0) -> int:
    return Slip(model, STOCK, side, quantity, volume).moved(cents * STOCK.tick) // STOCK.tick


@pytest.mark.parametrize(
    ("share", "bought", "sold"),
    [("0", 10_000, 10_000), ("0.0001", 10_001, 9_999), ("0.00015", 10_002, 9_998), ("0.00000001", 10_001, 9_999)],
)
def test_a_constant_share_moves_the_price_outward_to_a_tick(share: str, bought: int, sold: int) -> None:
    model = ConstantSlippage(rate(share))
    assert (moved(model, Side.BUY, 10_000), moved(model, Side.SELL, 10_000)) == (bought, sold)


def test_a_sale_never_goes_below_a_tick() -> None:
    assert moved(ConstantSlippage(rate("1")), Side.SELL, 3) == 1
    assert moved(ConstantSlippage(rate("2")), Side.SELL, 3) == 1
    assert NO_SLIPPAGE.rate == 0


@pytest.mark.parametrize(
    ("bid", "ask", "want"),
    [(9_990, 10_010, 10), (9_990, 10_011, 11), (0, 10_010, 0), (9_990, 0, 0), (10_010, 9_990, 0)],
)
def test_half_the_spread_is_paid_up(bid: int, ask: int, want: int) -> None:
    assert HalfSpread().distance(Taken(STOCK, Side.BUY, 10_000, 1, 1, bid, ask)) == want
    assert HalfSpread().rate == 0


# price x 0.1 x min(q / V, 0.025)^2: Lean, VolumeShareSlippageModel
@pytest.mark.parametrize(
    ("quantity", "volume", "want"),
    [
        (100, 10_000, 10**6),  # 1 % of volume: 0.1 x 0.0001
        (249, 10_000, 6_200_100),  # 0.1 x 0.0249^2 = 0.000062001
        (250, 10_000, 625 * 10**4),  # the limit: 0.1 x 0.000625
        (251, 10_000, 625 * 10**4),
        (10_000, 10_000, 625 * 10**4),
        (0, 10_000, 0),
    ],
)
def test_volume_share_grows_with_the_square_up_to_its_limit(quantity: int, volume: int, want: int) -> None:
    model = VolumeShareSlippage()
    assert model.distance(Taken(STOCK, Side.BUY, 10**11, quantity, volume)) == want
    assert model.distance(Taken(STOCK, Side.SELL, 10**11, quantity, volume)) == want
    assert model.rate == 0


def test_volume_share_without_volume_is_the_limit_for_shares_and_nothing_for_coins() -> None:
    model = VolumeShareSlippage()
    found = {what.symbol: model.distance(Taken(what, Side.BUY, 10**8, 7, 0)) for what in (STOCK, FUTURE, COIN, PAIR)}
    assert found == {"AAPL": 6_250, "ES": 6_250, "BTC-USD": 0, "EURUSD": 0}
    assert model.distance(Taken(STOCK, Side.BUY, 10**8, 7, -1)) == 6_250


@given(st.integers(1, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(Side))
def test_no_model_moves_a_price_to_the_traders_gain(price: int, quantity: int, volume: int, side: Side) -> None:
    for model in (NO_SLIPPAGE, ConstantSlippage(rate("0.0003")), VolumeShareSlippage(), HalfSpread()):
        ticks = moved(model, side, price, quantity, volume)
        assert (ticks - price) * side.sign >= 0
        assert ticks >= 1


# Almgren, Thum, Hauptmann, Li (2005), table 3: cost of trading 10 % of the day's volume in 0.1, 0.2 and 0.5 days, with
# alpha 1, beta 3/5, delta 1/4; permanent and realised impact in basis points
PAPER = {"alpha": Decimal(1), "beta": Decimal("0.6"), "delta": Decimal("0.25"), "impact_s": Decimal(100)}
IBM = ImpactMarket(Decimal("0.0157"), Decimal("6.561"), Decimal(1728), Decimal(100))
DRI = ImpactMarket(Decimal("0.0226"), Decimal("1.929"), Decimal(168), Decimal(100))


@pytest.mark.parametrize(
    ("market", "tenths", "realised"),
    [(IBM, 10, 32), (IBM, 20, 25), (IBM, 50, 18), (DRI, 10, 43), (DRI, 20, 32), (DRI, 50, 23)],
)
def test_market_impact_is_the_papers(market: ImpactMarket, tenths: int, realised: int) -> None:
    parameters = ImpactParameters(latency_s=Decimal(tenths), **PAPER)
    for sign in (1, -1):
        share = impact_share(sign * market.volume / 10, market, Draws(), parameters)
        assert round(share * 10_000) == realised


def test_market_impact_with_leans_exponents_and_draws() -> None:
    """Worked in floats: T = 1/4 of a day, nu = 0.04 / (T x 1), everything else 1 but sigma."""
    market = ImpactMarket(Decimal("0.02"), Decimal(100), Decimal(400), Decimal(7200))
    parameters = ImpactParameters(latency_s=Decimal(1800), impact_s=Decimal(3600))
    elapsed, working, pace = 0.25, 0.5, 4 / 25
    permanent = 0.02 * (elapsed * 0.314 * pace**0.891 * 4**0.267 + working**0.5 * 0.3)
    noise = (elapsed / 12 * (4 - 3 * elapsed / working)) ** 0.5 * 0.7 - (working - elapsed) / (2 * working**0.5) * 0.3
    temporary = 0.02 * (0.142 * pace**0.6 + noise)
    draws = Draws(Decimal("0.3"), Decimal("0.7"), Decimal("0.5"))
    found = impact_share(Decimal(4), market, draws, parameters)
    assert abs(float(found) - (temporary + permanent / 2) * 0.5) < 1e-15


def test_leans_parameters_are_the_default() -> None:
    """Worked in floats: 10,000 of 5 million shares a day, 252-day deviation 2 %, 100 million shares, 6.5 hours."""
    market = ImpactMarket(Decimal("0.02"), Decimal(5_000_000), Decimal(100_000_000), Decimal(23_400))
    elapsed, working = 0.075 / 23_400, 1800 / 23_400
    pace = 10_000 / (elapsed * 5_000_000)
    permanent = 0.02 * (elapsed * 0.314 * pace**0.891 * 20**0.267 + working**0.5 * 0.001)
    noise = (elapsed / 12 * (4 - 3 * elapsed / working)) ** 0.5 * 0.002
    noise -= (working - elapsed) / (2 * working**0.5) * 0.001
    temporary = 0.02 * (0.142 * pace**0.6 + noise)
    found = impact_share(Decimal(10_000), market, Draws(Decimal("0.001"), Decimal("0.002"), Decimal("0.5")))
    assert abs(float(found) - (temporary + permanent / 2) * 0.5) < 1e-12


def test_market_impact_is_a_share_of_0_to_1_and_nothing_without_a_market() -> None:
    market = ImpactMarket(Decimal("0.02"), Decimal(100), Decimal(400), Decimal(7200))
    assert impact_share(Decimal(4), market, Draws(temporary=Decimal(-(10**6)))) == 0
    assert impact_share(Decimal(4), market, Draws(temporary=Decimal(10**6))) == 1
    assert impact_share(Decimal(0), market, Draws()) == 0
    still = ImpactMarket(Decimal(0), Decimal(100), Decimal(400), Decimal(7200))
    assert impact_share(Decimal(4), still, Draws()) == 0
    assert impact_share(Decimal(4), ImpactMarket(Decimal(1), Decimal(0), Decimal(1), Decimal(1)), Draws()) == 0


@pytest.mark.parametrize(("share", "want"), [("0.001", 10), ("0.00101", 11), ("0", 0), ("1", 10_000)])
def test_an_impact_is_rounded_up_to_a_price_unit(share: str, want: int) -> None:
    assert impact_distance(10_000, Decimal(share)) == want


def test_what_is_not_said_of_a_fill_moves_nothing() -> None:
    price = 10_000 * COIN.tick
    for model in (VolumeShareSlippage(), HalfSpread()):
        assert Slip(model, COIN, Side.BUY).moved(price) == price
    assert Slip(HalfSpread(), COIN, Side.BUY, ask=price).moved(price) == price
    assert Slip(VolumeShareSlippage(), COIN, Side.BUY, volume=1).moved(price) == price


def test_a_tenth_is_the_impact_to_its_last_digit() -> None:
    assert VolumeShareSlippage().distance(Taken(STOCK, Side.BUY, 10**18, 100, 10_000)) == 10**13


def test_the_least_volume_is_a_volume() -> None:
    at_volume = [moved(VolumeShareSlippage(), Side.BUY, 100_00, 1, volume) for volume in (0, 1)]
    assert at_volume == [100_01, 100_01]
    assert moved(VolumeShareSlippage(limit=10**8), Side.BUY, 100_00, 1, 1) == 110_00  # all of it: a tenth of the price
    coin = Taken(COIN, Side.BUY, 100_00, 1, 1)
    assert (VolumeShareSlippage().distance(coin), VolumeShareSlippage(limit=10**8).distance(coin)) == (1, 10_00)
