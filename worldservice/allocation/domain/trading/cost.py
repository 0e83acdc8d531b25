"""Estimated cost of trading, in basis points of notional: half the spread, the fee, and market impact.

Impact by Almgren, Thum, Hauptmann, Li (2005), "Direct Estimation of Equity Market Impact", with the paper's rounded
exponents, of which the permanent one is 1. The impact that brokerage moves simulated fills by follows another source
(Lean's fitted exponents, and the time one fill takes): that one makes prices, this one is an estimate for a plan.
Powers have no exact decimal: 38 digits, the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from qmtl.core.decimals import MONEY

TEMPORARY, TEMPORARY_POWER = Decimal("0.142"), Decimal("0.6")
PERMANENT, SHARES_POWER = Decimal("0.314"), Decimal("0.25")
BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Market:
    """A symbol's market: daily volatility as a fraction, volume of a day in units (None: unknown), half spread and fee
    in basis points, shares outstanding (None: not known, or not shares); beta and correlation of its daily returns to
    the proxy of the overlay.
    """

    daily_vol: Decimal
    daily_volume: Decimal | None = None
    half_spread_bps: Decimal = Decimal(0)
    fee_bps: Decimal = Decimal(0)
    outstanding: Decimal | None = None
    beta: Decimal | None = None
    correlation: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost in basis points, by its parts."""

    half_spread: Decimal
    fee: Decimal
    temporary: Decimal
    permanent_half: Decimal

    @property
    def total(self) -> Decimal:
        """All parts, in 38 digits."""
        return MONEY.add(MONEY.add(self.half_spread, self.fee), MONEY.add(self.temporary, self.permanent_half))


def temporary_bps(market: Market, quantity: Decimal, days: Decimal) -> Decimal | None:
    """.142 s (q / (V T))^.6; None where the volume is not known."""
    if not market.daily_volume:
        return None
    with localcontext(MONEY):
        pace = abs(quantity) / (market.daily_volume * days)
        return BPS * TEMPORARY * market.daily_vol * pace**TEMPORARY_POWER if pace else Decimal(0)


def permanent_bps(market: Market, quantity: Decimal) -> Decimal | None:
    """.314 s (q / V) (shares / V)^.25, the last factor where shares are known; None where the volume is not."""
    if not market.daily_volume:
        return None
    with localcontext(MONEY):
        turnover = (market.outstanding / market.daily_volume) ** SHARES_POWER if market.outstanding else Decimal(1)
        return BPS * PERMANENT * market.daily_vol * abs(quantity) / market.daily_volume * turnover


def cost_of(market: Market, quantity: Decimal, days: Decimal) -> Cost | None:
    """Cost of trading a quantity over `days` (above 0). None: the volume is unknown, to be treated as dear."""
    temporary, permanent = temporary_bps(market, quantity, days), permanent_bps(market, quantity)
    if temporary is None or permanent is None:
        return None
    return Cost(market.half_spread_bps, market.fee_bps, temporary, MONEY.divide(permanent, Decimal(2)))
