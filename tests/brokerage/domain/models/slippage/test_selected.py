"""Slippage models that a profile selects, through the simulated account. Prices in dollars."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.slippage.impact import Draws, ImpactMarket, MarketImpact, impact_share
from brokerage.domain.models.slippage.model import SlippageModel, VolumeShareSlippage
from brokerage.domain.orders.order import Side
from qmtl.core.errors import NotFound

MINUTE = 60_000_000_000
STOCK = instrument("X", base="X", quote="USD", price_places=2)
MARKET = ImpactMarket(Decimal("0.02"), Decimal(5_000_000), Decimal(100_000_000), Decimal(23_400))


def filled_at(slippage: SlippageModel, side: Side, quantity: int, volume: int = 10**9) -> int:
    """The price, in cents, at which a market order fills in a bar at 100."""
    profile = replace(margin(4, fee="0", participation="0"), slippage=slippage)
    desk = SimulatedAccount(profile, {"USD": Decimal(10**8)}, instruments=[STOCK])
    for start in (0, MINUTE):
        desk.advance(start)
        made = desk.on_bar("X", Bar(start, start + MINUTE, 10_000, 10_000, 10_000, 10_000, volume))
        if not start:
            desk.market("X", side, Decimal(quantity), MINUTE, "o")
    [fill] = [event.fill for event in made if event.fill is not None]
    return fill.price


def test_the_impact_of_a_fill_moves_it_by_the_size_against_the_market() -> None:
    model = MarketImpact({"X": MARKET})
    for quantity in (100, 10_000):
        share = impact_share(Decimal(quantity), MARKET, Draws())
        cents = -(-10_000 * share.as_integer_ratio()[0] // share.as_integer_ratio()[1])
        assert cents > 0
        assert filled_at(model, Side.BUY, quantity) == 10_000 + cents
        assert filled_at(model, Side.SELL, quantity) == 10_000 - cents
    assert filled_at(model, Side.BUY, 10_000) > filled_at(model, Side.BUY, 100)


def test_the_impact_in_a_market_that_is_not_given_is_refused_by_name() -> None:
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*impact_markets.*X"):
        filled_at(MarketImpact({}), Side.BUY, 1)


def test_the_share_of_a_bars_volume_moves_a_fill() -> None:
    """100 x 0.1 x 0.02^2 is 0.4 cents, up to a tick; the share ends at 2.5 %, where it is 0.625 cents."""
    model = VolumeShareSlippage(impact=10**9)  # a hundred times Lean's: 40 and 62.5 cents
    assert filled_at(model, Side.BUY, 20, 1_000) == 10_040
    assert filled_at(model, Side.SELL, 20, 1_000) == 9_960
    assert filled_at(model, Side.BUY, 500, 1_000) == 10_063
