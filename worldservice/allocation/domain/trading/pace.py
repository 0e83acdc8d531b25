"""The pace of an order in slices, by Almgren and Chriss (2000), "Optimal Execution of Portfolio Transactions".

left_j = sinh(k (T - t_j)) / sinh(k T); without risk aversion the slices are equal. In 38 digits, cut once to fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from qmtl.core.decimals import MONEY
from qmtl.core.errors import refused

SLICES_MAX = 100
PLACES = Decimal(1).scaleb(-18)


@dataclass(frozen=True, slots=True)
class Aversion:
    """What makes a trader hurry: `risk_aversion` per money, volatility of the price per square root of a slice's time,
    temporary impact `eta` and permanent impact `gamma` per unit. The unit of time is one slice.
    """

    risk_aversion: Decimal
    volatility: Decimal
    eta: Decimal
    gamma: Decimal


def urgency(aversion: Aversion) -> Decimal:
    """k of one slice: arcosh(1 + k~^2 / 2) with k~^2 = lambda s^2 / (eta - gamma / 2).

    Raises InvalidRequest (E_PACE) for a term below 0, and where the permanent impact is so large that no pace is best.
    """
    terms = {
        "risk_aversion": aversion.risk_aversion,
        "volatility": aversion.volatility,
        "eta": aversion.eta,
        "gamma": aversion.gamma,
    }
    for name, term in terms.items():
        if term < 0:
            raise refused("E_PACE", f"pace.{name}", str(term), "0 or more")
    with localcontext(MONEY):
        eta = aversion.eta - aversion.gamma / 2
        if eta <= 0:
            raise refused("E_PACE", "pace.eta", str(aversion.eta), "more than half of gamma")
        squared = aversion.risk_aversion * aversion.volatility**2 / eta
        cosh = 1 + squared / 2
        return (cosh + (cosh * cosh - 1).sqrt()).ln()


def left_after(slices: int, k: Decimal) -> tuple[Fraction, ...]:
    """The share that is left after each slice, the last one 0. Raises InvalidRequest (E_PACE) for more than 100."""
    if not 1 <= slices <= SLICES_MAX:
        raise refused("E_PACE", "pace.slices", str(slices), f"1 to {SLICES_MAX}")
    if k == 0:
        return tuple(Fraction(slices - j, slices) for j in range(1, slices + 1))
    with localcontext(MONEY):
        whole = _sinh(k * slices)
        return tuple(
            Fraction((_sinh(k * (slices - j)) / whole).quantize(PLACES)) if j < slices else Fraction(0)
            for j in range(1, slices + 1)
        )


def _sinh(x: Decimal) -> Decimal:
    return (x.exp() - (-x).exp()) / 2
