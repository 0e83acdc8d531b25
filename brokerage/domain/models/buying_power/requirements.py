"""What a position must hold of the equity: by a rate, by contract, and for day traders.

Requirements are rounded up to a whole unit: equity that covers one never lacks a fraction.
"""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.money import RATE_ONE
from qmtl.calendars.spans import Span

CLOSE_APPROACHES_NS = 600_000_000_000
"""Ten minutes: from here to the close a day trader's margin counts as overnight. Source: Lean."""


@dataclass(frozen=True, slots=True)
class MarginRates:
    """Initial and maintenance margin as shares of the value, in 1e-8."""

    initial: int
    maintenance: int

    def to_open(self, value: int) -> int:
        """What opening a position of a signed value takes."""
        return _share_up(value, self.initial)

    def to_hold(self, value: int) -> int:
        """What a position of a signed value must keep, at the current price."""
        return _share_up(value, self.maintenance)


def by_leverage(leverage: int) -> MarginRates:
    """Both margins 1 / leverage, as Lean has them; up to 1e-8."""
    each = -(-RATE_ONE // leverage)
    return MarginRates(each, each)


REG_T = MarginRates(RATE_ONE // 2, RATE_ONE // 4)
"""Half of the value to open (Regulation T, 12 CFR 220.12), a quarter to hold a long (FINRA rule 4210(c)(1))."""

REG_T_SHORT = MarginRates(RATE_ONE // 2, RATE_ONE * 3 // 10)
"""The same to open, 30 % to hold a short of 5 dollars a share or more (FINRA rule 4210(c)(3)), with `least_short`."""


def least_short(value: int, quantity: int, quantity_scale: int, dollar: int) -> int:
    """The least that a short of shares must keep, whatever its rate: 5 dollars a share, of a share below 5 dollars 2.50
    and no less than all of its value. `dollar` is one in the units of the value. Source: FINRA rule 4210(c)(2), (3).
    """
    worth, shares, one = abs(value), abs(quantity), 10**quantity_scale
    cheap = worth * one < 5 * dollar * shares
    least: int = -(-5 * dollar * shares // (2 * one if cheap else one))
    return max(worth, least) if cheap else least


_DAY_TRADER_OPEN, _DAY_TRADER_CLOSED = 4, 2


def day_trader_leverage(at_ns: int, session: Span | None) -> int:
    """4 while the regular session is open and closes in more than ten minutes, else 2. Source: Lean,
    PatternDayTradingMarginModel; FINRA rule 4210(f)(8)(B).

    `session` is the one that holds or follows the instant, None where there is none.
    """
    if session is None or not session.start_ns <= at_ns < session.end_ns - CLOSE_APPROACHES_NS:
        return _DAY_TRADER_CLOSED
    return _DAY_TRADER_OPEN


@dataclass(frozen=True, slots=True)
class ContractMargin:
    """Margin of one futures contract, in scaled money, as the clearing house sets it."""

    initial: int
    maintenance: int

    def to_open(self, contracts: int, quantity_scale: int) -> int:
        """What opening so many contracts takes."""
        return _per_contract(self.initial, contracts, quantity_scale)

    def to_hold(self, contracts: int, quantity_scale: int) -> int:
        """What so many contracts must keep."""
        return _per_contract(self.maintenance, contracts, quantity_scale)


def _share_up(value: int, share: int) -> int:
    amount: int = -(-abs(value) * share // RATE_ONE)
    return amount


def _per_contract(margin: int, contracts: int, quantity_scale: int) -> int:
    amount: int = -(-margin * abs(contracts) // 10**quantity_scale)
    return amount
