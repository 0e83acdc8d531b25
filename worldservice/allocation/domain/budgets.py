"""Budgets: the notional that brokerage enforces for a world or a strategy, from its share. They sell nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from worldservice.allocation.domain.shares import Owner, Shares

FALL_AT_ONCE = Fraction(5, 100)
"""Equity this far below that of the last budgets: they follow at once and do not wait for the day's end."""


@dataclass(frozen=True, slots=True, order=True)
class Budget:
    """The most gross exposure of a world (`strategy_id` empty) or of a strategy in it, and the capital that its new
    orders are sized by, in base currency.
    """

    world_id: str
    strategy_id: str
    gross_max: Fraction
    capital: Fraction


def budgets_of(shares: Shares, equity: Fraction, leverage_max: Fraction) -> tuple[Budget, ...]:
    """Capital, share x equity, and the budget, capital x leverage_max, of every world and strategy named, by name.
    Equity below 0 counts as 0.
    """
    money = max(equity, Fraction(0))
    named = [((world_id, ""), share) for world_id, share in shares.worlds.items()]
    named += [((*owner,), share) for owner, share in shares.strategies.items()]
    return tuple(Budget(*key, share * money * leverage_max, share * money) for key, share in sorted(named))


def budget_keys(owner: Owner) -> tuple[tuple[str, str], ...]:
    """World and strategy of the budgets that an owner's exposure counts in: its world's and its own, of a hedge its own
    only.
    """
    return (owner,) if owner.is_hedge else ((owner.world_id, ""), owner)


def follows_at_once(equity_then: Fraction, equity_now: Fraction) -> bool:
    """Whether equity fell so far since the last budgets that they are sent anew before the day ends."""
    return equity_now < equity_then * (1 - FALL_AT_ONCE)
