"""From a target to the order that `planner.changes` makes of it for one leg, in a form that compiles."""

from __future__ import annotations

from typing import NamedTuple

from brokerage.domain.backtest.compiled.account import AccountTerms, Holding, equity, fee_bound, worth
from brokerage.domain.backtest.compiled.exact import quotient

ROUNDS = 40
UNSURE = 2
ORDER, NOTHING = 1, 0


class SizingTerms(NamedTuple):
    """How a target becomes a quantity. `fraction`: of the equity, else units. A target's units times equity, over
    `down`, is price times quantity; of units over `down` it is the quantity. `lot` is that of the rule.
    """

    fraction: bool
    down: int
    lot: int


class Sized(NamedTuple):
    """What becomes of a target: ORDER, NOTHING or UNSURE, the signed quantity, and the whole position it is toward."""

    outcome: int
    quantity: int
    target: int


def sized(terms: AccountTerms, sizing: SizingTerms, held: Holding, target: int, price: int, mark: int) -> Sized:
    """The order of a target at the price it saw, in an account worth what it is at `mark`. Fees are set aside as
    `planner.changes` does: repeated until size and fees agree, and where they swing the sizes that leave enough.
    """
    sure, owned = equity(terms, held, mark)
    fees, set_aside = 0, -1
    best = unpaid(terms, sizing, held.quantity, target, price, owned)
    if not sizing.fraction or best.outcome == UNSURE:
        return best
    if not sure:
        return Sized(UNSURE, 0, 0)
    for _ in range(ROUNDS):
        found, needed = unpaid(terms, sizing, held.quantity, target, price, owned - fees), 0
        if found.outcome == UNSURE:
            return found
        if found.outcome == ORDER:
            notional = worth(terms, price, abs(found.quantity))
            needed = fee_bound(terms, notional) if notional >= 0 else -1
            if needed < 0:
                return Sized(UNSURE, 0, 0)
        if set_aside < 0 or needed <= fees < set_aside:
            best, set_aside = found, fees if needed <= fees else -1
        if needed == fees:
            break
        fees = needed
    return best


def unpaid(terms: AccountTerms, sizing: SizingTerms, held: int, target: int, price: int, owned: int) -> Sized:
    """The order of a target with so much equity, before any fee: `Leg.whole` and `Leg.change`."""
    if sizing.fraction:
        share, _ = quotient(abs(target), max(owned, 0), sizing.down)
        if share < 0:
            return Sized(UNSURE, 0, 0)
        size = share // (price * sizing.lot) * sizing.lot
    else:
        size = abs(target) // (sizing.down * sizing.lot) * sizing.lot
    whole = size if target > 0 else -size
    change = whole - _cut(held, sizing.lot) if whole else -_cut(held, terms.lot)
    return Sized(ORDER if change else NOTHING, change, whole)


def _cut(quantity: int, lot: int) -> int:
    """Toward zero to a multiple of the lot."""
    size = abs(quantity) - abs(quantity) % lot
    return size if quantity > 0 else -size
