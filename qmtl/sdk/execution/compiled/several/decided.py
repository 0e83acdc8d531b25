"""From the targets of one bar to the orders that `planner.changes` makes of them together, in a form that compiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from brokerage.domain.backtest.compiled.account import AccountTerms, fee_bound, worth
from qmtl.sdk.execution.compiled.sizing import ROUNDS, UNSURE, SizingTerms, unpaid

if TYPE_CHECKING:
    from qmtl.sdk.execution.compiled.kernel import Whole

TERMS_WIDTH, SIZING_WIDTH = 14, 3


class Symbols(NamedTuple):
    """What does not change: terms and sizing of each symbol in a row, and the symbols in the order of the rules."""

    terms: Whole
    sizing: Whole
    order: Whole
    number: int
    steps: int
    leverage: int


class Legs(NamedTuple):
    """The targets of one decision, in order of symbol, with what is held: room for one of each symbol. `best` and
    `whole`: the signed order and the position it is toward; `found` and `position` are those of a round.
    """

    symbol: list[int]
    held: list[int]
    units: list[int]
    price: list[int]
    target: list[float]
    found: list[int]
    position: list[int]
    best: list[int]
    whole: list[int]


def terms_at(symbols: Symbols, at: int) -> AccountTerms:
    """The terms of a symbol."""
    t, k = symbols.terms, at * TERMS_WIDTH
    return AccountTerms(
        t[k],
        t[k + 1],
        t[k + 2],
        t[k + 3],
        t[k + 4],
        t[k + 5],
        t[k + 6],
        t[k + 7],
        t[k + 8],
        t[k + 9],
        t[k + 10],
        t[k + 11],
        t[k + 12],
        t[k + 13],
    )


def sizes(symbols: Symbols, legs: Legs, due: int, equity: int) -> bool:
    """Size all legs together, each a share of what is left once the fees of all are paid; whether that is proved."""
    if not _sized(symbols, legs, due, equity):
        return False
    _take(legs, due)
    if not _any_share(symbols, legs, due):
        return True
    fees, set_aside = 0, -1
    for _ in range(ROUNDS):
        if not _sized(symbols, legs, due, equity - fees):
            return False
        asked = _fees(symbols, legs, due)
        if asked < 0:
            return False
        if set_aside < 0 or asked <= fees < set_aside:
            _take(legs, due)
            set_aside = fees if asked <= fees else -1
        if asked == fees:
            break
        fees = asked
    return True


def _any_share(symbols: Symbols, legs: Legs, due: int) -> bool:
    """Whether a leg is a share of the equity."""
    shares = 0
    for leg in range(due):
        shares += symbols.sizing[legs.symbol[leg] * SIZING_WIDTH]
    return shares > 0


def _sized(symbols: Symbols, legs: Legs, due: int, owned: int) -> bool:
    """The orders of all legs with so much equity."""
    for leg in range(due):
        at = legs.symbol[leg]
        k = at * SIZING_WIDTH
        sizing = SizingTerms(symbols.sizing[k] > 0, symbols.sizing[k + 1], symbols.sizing[k + 2])
        made = unpaid(terms_at(symbols, at), sizing, legs.held[leg], legs.units[leg], legs.price[leg], owned)
        if made.outcome == UNSURE:
            return False
        legs.found[leg], legs.position[leg] = made.quantity, made.target
    return True


def _fees(symbols: Symbols, legs: Legs, due: int) -> int:
    """The most that the orders of all legs may be charged; below 0: not proved."""
    total = 0
    for leg in range(due):
        if legs.found[leg]:
            terms = terms_at(symbols, legs.symbol[leg])
            notional = worth(terms, legs.price[leg], abs(legs.found[leg]))
            fee = fee_bound(terms, notional) if notional >= 0 else -1
            if fee < 0:
                return -1
            total += fee
    return total


def _take(legs: Legs, due: int) -> None:
    for leg in range(due):
        legs.best[leg], legs.whole[leg] = legs.found[leg], legs.position[leg]
