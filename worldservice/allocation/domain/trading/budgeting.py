"""Which legs fit the budgets of their worlds and strategies. Brokerage enforces them; a plan does not ask in vain."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from worldservice.allocation.domain.budgets import Budget, budget_keys
from worldservice.allocation.domain.legs import Held, Leg, LegReason
from worldservice.allocation.domain.trading.netting import PlannedLeg


def within_budgets(held: Sequence[Held], rows: Sequence[PlannedLeg], budgets: Sequence[Budget]) -> list[PlannedLeg]:
    """Increasing legs that would take a world or strategy above its budget are dropped: reducing ones count first."""
    if not budgets:
        return list(rows)
    most = {(each.world_id, each.strategy_id): each.gross_max for each in budgets}
    most = {**{row.leg.owner: Fraction(0) for row in rows if row.leg.owner.is_hedge}, **most}  # without a share: none
    gross: dict[tuple[str, str], Fraction] = {}

    def add(leg: Leg | Held, money: Fraction) -> None:
        for key in budget_keys(leg.owner):
            gross[key] = gross.get(key, Fraction(0)) + money

    for each in held:
        if each.mark is not None:
            add(each, abs(each.quantity) * each.mark.value)
    found = list(rows)
    for index in sorted(range(len(rows)), key=lambda i: (not rows[i].reduce_only, rows[i].leg.key)):
        row = rows[index]
        change = growth(row)
        over = any(
            key in most and gross.get(key, Fraction(0)) + change > most[key] for key in budget_keys(row.leg.owner)
        )
        if change > 0 and over:
            found[index] = row.dropped(LegReason.OVER_BUDGET)
        else:
            add(row.leg, change)
    return found


def growth(row: PlannedLeg) -> Fraction:
    """By how much the gross exposure of its owner grows."""
    return (abs(row.leg.quantity + row.rounded) - abs(row.leg.quantity)) * row.leg.mark.value
