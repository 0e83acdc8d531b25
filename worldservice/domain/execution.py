"""What a simulation assumed of execution, and whether it was as strict as a policy asks.

Rates are shares of the notional, exact. In a policy None asks nothing; in a run nothing is left open.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

BPS = Decimal(10_000)


class FillModel(Enum):
    """NEXT_BAR: on the bars that begin at or after an order's acceptance, never on the running one."""

    NEXT_BAR = "next_bar"


@dataclass(frozen=True, slots=True)
class ExecutionModel:
    """`participation` is the share of a bar's volume one strategy may take; 0 in a run: whatever it asks for."""

    fill: FillModel | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    slippage: Decimal | None = None
    participation: Decimal | None = None

    @property
    def costs(self) -> Mapping[str, Decimal | None]:
        """What has to be as high as asked."""
        return {"maker_fee": self.maker_fee, "taker_fee": self.taker_fee, "slippage": self.slippage}


def lenient(asked: ExecutionModel, assumed: ExecutionModel) -> Iterator[str]:
    """Where a run made it easier for itself than was asked, one sentence each."""
    if asked.fill is not None and assumed.fill is not asked.fill:
        yield f"fill is {assumed.fill.value if assumed.fill else 'unknown'}, {asked.fill.value} is asked"
    for name, least in asked.costs.items():
        given = assumed.costs[name]
        if least is not None and (given is None or given < least):
            yield f"{name} is {_bps(given)}, at least {_bps(least)} is asked"
    most, taken = asked.participation, assumed.participation
    if most is not None and (taken is None or not 0 < taken <= most):
        yield f"participation is {'unlimited' if taken == 0 else taken}, at most {most} is asked"


def described(model: ExecutionModel) -> str:
    """What is asked, on one line."""
    parts = [model.fill.value] if model.fill else []
    parts += [f"{name} >= {_bps(rate)}" for name, rate in model.costs.items() if rate is not None]
    parts += [f"participation <= {model.participation}"] if model.participation is not None else []
    return ", ".join(parts)


def _bps(rate: Decimal | None) -> str:
    return "unknown" if rate is None else f"{(rate * BPS).normalize():f} bps"
