"""Which legs fit the budgets of their worlds and strategies. Brokerage enforces them; a plan does not ask in vain."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from worldservice.allocation.domain.amounts import text_of
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


def named_budgets(rows: Sequence[PlannedLeg], budgets: Sequence[Budget]) -> list[str]:
    """Of each leg that a budget left out, a sentence with the budgets that it counts in."""
    most = {(each.world_id, each.strategy_id): each.gross_max for each in budgets}
    found = []
    for row in rows:
        if LegReason.OVER_BUDGET not in row.reasons:
            continue
        owner = row.leg.owner
        told = [f"{_owner_text(key)} at most {text_of(most[key])}" for key in budget_keys(owner) if key in most]
        why = (
            f"the gross exposure that fits is, of {' and of '.join(told)}"
            if told
            else "without a share its budget is 0"
        )
        found.append(f"OVER_BUDGET: {_owner_text(owner)} {row.leg.symbol}: {why}")
    return found


def _owner_text(key: tuple[str, str]) -> str:
    return f"{key[0]}/{key[1]}" if key[1] else f"world {key[0]}"


def growth(row: PlannedLeg) -> Fraction:
    """By how much the gross exposure of its owner grows."""
    return (abs(row.leg.quantity + row.rounded) - abs(row.leg.quantity)) * row.leg.mark.value
