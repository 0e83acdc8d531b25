"""Market impact by Almgren, Thum, Hauptmann and Li (2005), "Direct Estimation of Equity Market Impact".

Powers have no exact decimal: they are computed in 38 digits, the same on every machine; the draws come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from brokerage.domain.models.slippage.model import Taken
from qmtl.core.decimals import MONEY
from qmtl.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class ImpactParameters:
    """Lean's defaults: exponents of size (permanent alpha, temporary beta), coefficients gamma and eta, exponent of
    turnover delta, and how long a fill works (`impact_s`) after its latency, in seconds of trading.
    """

    alpha: Decimal = Decimal("0.891")
    beta: Decimal = Decimal("0.600")
    gamma: Decimal = Decimal("0.314")
    eta: Decimal = Decimal("0.142")
    delta: Decimal = Decimal("0.267")
    latency_s: Decimal = Decimal("0.075")
    impact_s: Decimal = Decimal(1800)


DEFAULTS = ImpactParameters()


@dataclass(frozen=True, slots=True)
class ImpactMarket:
    """The market of an impact: `sigma` the standard deviation of 252 daily returns, `volume` the mean of 10 daily
    volumes, shares outstanding, and the length of the session in seconds.
    """

    sigma: Decimal
    volume: Decimal
    outstanding: Decimal
    session_s: Decimal


@dataclass(frozen=True, slots=True)
class Draws:
    """What chance adds: standard normal draws for the permanent and the temporary part, and a share of 0 to 1."""

    permanent: Decimal = Decimal(0)
    temporary: Decimal = Decimal(0)
    share: Decimal = Decimal(1)


def impact_share(
    quantity: Decimal, market: ImpactMarket, draws: Draws, parameters: ImpactParameters = DEFAULTS
) -> Decimal:
    """The share of the price that a fill of `quantity` is moved by, of 0 to 1.

    T = latency / session, Tp = impact / session, nu = |quantity| / (T x volume); xi and chi are the draws;
    permanent = sigma x (T x gamma x nu^alpha x (outstanding / volume)^delta + sqrt(Tp) x xi);
    temporary = sigma x (eta x nu^beta + sqrt(T / 12 x (4 - 3 T / Tp)) x chi - (Tp - T) / (2 sqrt(Tp)) x xi);
    share = min(max((temporary + permanent / 2) x draw of 0 to 1, 0), 1). T is at most Tp.
    """
    if not quantity or market.volume <= 0 or not market.sigma:
        return Decimal(0)
    with localcontext(MONEY):
        elapsed, working = parameters.latency_s / market.session_s, parameters.impact_s / market.session_s
        pace = abs(quantity) / (elapsed * market.volume)
        turnover = (market.outstanding / market.volume) ** parameters.delta
        drift = elapsed * parameters.gamma * pace**parameters.alpha * turnover
        permanent = market.sigma * (drift + working.sqrt() * draws.permanent)
        noise = (elapsed / 12 * (4 - 3 * elapsed / working)).sqrt() * draws.temporary
        noise -= (working - elapsed) / (2 * working.sqrt()) * draws.permanent
        temporary = market.sigma * (parameters.eta * pace**parameters.beta + noise)
        return min(max((temporary + permanent / 2) * draws.share, Decimal(0)), Decimal(1))


def impact_distance(price: int, share: Decimal) -> int:
    """Price units of a share of the price, up to a whole unit."""
    numerator, denominator = share.as_integer_ratio()
    return -(-price * numerator // denominator)


@dataclass(frozen=True, slots=True)
class MarketImpact:
    """Slippage of a profile: the impact of a fill in its symbol's market, as it is expected (nothing is drawn)."""

    markets: Mapping[str, ImpactMarket]
    parameters: ImpactParameters = DEFAULTS

    @property
    def rate(self) -> int:
        """None is promised."""
        return 0

    def distance(self, taken: Taken) -> int:
        """The share of the price, up. Raises NotFound (E_PROFILE_TABLE_MISSING) for a symbol without a market."""
        instrument = taken.instrument
        market = self.markets.get(instrument.symbol)
        if market is None:
            raise NotFound("E_PROFILE_TABLE_MISSING", f"table impact_markets has no row for {instrument.symbol}")
        quantity = instrument.quantity_decimal(taken.quantity)
        return impact_distance(taken.price, impact_share(quantity, market, Draws(), self.parameters))
