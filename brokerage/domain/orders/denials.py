"""Why we refuse an order, by the name of the rule. A venue's refusal is a rejection, not a denial."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Denial(Enum):
    """Why we refused an order. Named after the rule; stored, shown and tested. PRICE_STALE: too old, or none at all."""

    FENCED = "FENCED"
    NO_LIVE_VENUE = "NO_LIVE_VENUE"
    DOMAIN_FORBIDS_ORDERS = "DOMAIN_FORBIDS_ORDERS"
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN"
    NOT_TRADABLE = "NOT_TRADABLE"
    ORDER_TYPE_UNSUPPORTED = "ORDER_TYPE_UNSUPPORTED"
    TIME_IN_FORCE_UNSUPPORTED = "TIME_IN_FORCE_UNSUPPORTED"
    PRECISION = "PRECISION"
    TICK = "TICK"
    LOT = "LOT"
    QUANTITY_BELOW_MINIMUM = "QUANTITY_BELOW_MINIMUM"
    QUANTITY_ABOVE_MAXIMUM = "QUANTITY_ABOVE_MAXIMUM"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
    NOTIONAL_ABOVE_LIMIT = "NOTIONAL_ABOVE_LIMIT"
    PRICE_INSANE = "PRICE_INSANE"
    EXPIRED_ON_ARRIVAL = "EXPIRED_ON_ARRIVAL"
    REDUCE_ONLY_INCREASES = "REDUCE_ONLY_INCREASES"
    POST_ONLY_CROSSES = "POST_ONLY_CROSSES"
    POST_ONLY_UNSUPPORTED = "POST_ONLY_UNSUPPORTED"
    TRADING_HALTED = "TRADING_HALTED"
    TRADING_REDUCING = "TRADING_REDUCING"
    RATE_ABOVE_LIMIT = "RATE_ABOVE_LIMIT"
    OPEN_ORDERS_ABOVE_LIMIT = "OPEN_ORDERS_ABOVE_LIMIT"
    POSITION_ABOVE_LIMIT = "POSITION_ABOVE_LIMIT"
    LEVERAGE_ABOVE_LIMIT = "LEVERAGE_ABOVE_LIMIT"
    DRAWDOWN_CIRCUIT = "DRAWDOWN_CIRCUIT"
    EXPOSURE_ABOVE_LIMIT = "EXPOSURE_ABOVE_LIMIT"
    BALANCE_INSUFFICIENT = "BALANCE_INSUFFICIENT"
    SHORT_UNAVAILABLE = "SHORT_UNAVAILABLE"
    PRICE_STALE = "PRICE_STALE"
    SCALED_TO_ZERO = "SCALED_TO_ZERO"
    CONCENTRATION_ABOVE_LIMIT = "CONCENTRATION_ABOVE_LIMIT"
    BUDGET_ABOVE_LIMIT = "BUDGET_ABOVE_LIMIT"
    LIST_DENIED = "LIST_DENIED"


FINAL = frozenset(
    {
        Denial.INSTRUMENT_UNKNOWN,
        Denial.NOT_TRADABLE,
        Denial.ORDER_TYPE_UNSUPPORTED,
        Denial.TIME_IN_FORCE_UNSUPPORTED,
        Denial.POST_ONLY_UNSUPPORTED,
        Denial.PRECISION,
        Denial.TICK,
        Denial.LOT,
        Denial.QUANTITY_BELOW_MINIMUM,
        Denial.QUANTITY_ABOVE_MAXIMUM,
        Denial.SHORT_UNAVAILABLE,
        Denial.SCALED_TO_ZERO,
    }
)
"""Denials that no later moment lifts: the same order of the same account breaks the rule for ever."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A denial with its sentence: which rule, and the numbers that broke it. Shown to people, decided on by nobody."""

    denial: Denial
    message: str
