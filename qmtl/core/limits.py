"""How much risk a world may take, as its policy says and brokerage holds. Amounts are in the account's currency."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import Decimal

from qmtl.core.decimals import format_decimal
from qmtl.core.identity.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """None is no limit. Positions count with their open orders at their worst; what only reduces is never held up."""

    order_notional_max: Decimal | None = None
    long_notional_max: Decimal | None = None  # of one strategy's position in a symbol
    short_notional_max: Decimal | None = None
    gross_notional_max: Decimal | None = None  # of all positions of the world
    net_notional_max: Decimal | None = None

    def texts(self) -> dict[str, str]:
        """The limits that are set, as exact decimals."""
        return {name: format_decimal(amount) for name, amount in asdict(self).items() if amount is not None}


UNLIMITED = RiskLimits()


def limits_text(limits: RiskLimits) -> str:
    """The limits that are set, as canonical JSON: equal limits are equal text."""
    return canonical_json(limits.texts()).decode()


def limits_of(text: str) -> RiskLimits:
    """The inverse of limits_text. Raises TypeError for a limit this code does not know: it is not taken for none."""
    given: dict[str, str] = json.loads(text)
    return RiskLimits(**{name: Decimal(amount) for name, amount in given.items()}) if given else UNLIMITED
