"""How much a run traded and held, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from qmtl.core.fills import FillEvent
from qmtl.stats.returns import DAY_NS, DAYS_PER_YEAR
from qmtl.stats.trades import ONE, ZERO

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times


def costs_of(fills: Iterable[FillEvent], currency: str, multipliers: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
    """Fees in a currency, those in the asset at their fill's price, and the notional of all fills, exact.

    `multipliers`: the value of one unit per unit of price, 1 where none is given.
    """
    fees = notional = ZERO
    for fill in fills:
        worth = fill.price * multipliers.get(fill.symbol, ONE)
        fees += fill.fee if fill.fee_currency == currency else fill.fee * worth
        notional += abs(fill.quantity) * worth
    return fees, notional


def activity(fees: float, notional: float, invested: int, time_ns: Times, equity: Floats) -> dict[str, float]:
    """Metrics of what a run did: fees, exposure, turnover. Undefined ones are absent.

    `exposure` is the share of the n equity values with an open position, `invested` of them; `turnover` is traded
    notional a year over mean equity.
    """
    found = {"exposure": invested / len(equity), "fees_paid": fees}
    years = float(time_ns[-1] - time_ns[0]) / (DAYS_PER_YEAR * DAY_NS)
    if years > 0.0 and equity.mean() > 0.0:
        found["turnover"] = notional / float(equity.mean()) / years
    return found
