"""The steps of a replay in which all is plain: a whole market order fills at the next open, a changed target becomes
one that no rule refuses. It ends before the first step of another kind, which the law of the replay takes.

Plain functions that numba can compile; compiled or not they answer the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from brokerage.domain.backtest.compiled.account import (
    AccountTerms,
    Holding,
    budget,
    covers_margin,
    filled,
    is_taken,
    moved,
)
from qmtl.sdk.execution.compiled.sizing import NOTHING, ORDER, UNSURE, SizingTerms, sized

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

    Whole = Sequence[int] | Times


class Market(NamedTuple):
    """Columns by step, in the units of the account's terms."""

    open: Whole
    close: Whole
    volume: Whole


class Commands(NamedTuple):
    """`row` by step: that of its command, -1 where it has none. By row: the target as given, as an integer, and the
    price it saw. `change`: the steps at which a target is not that of the command before.
    """

    row: Whole
    change: Whole
    target: Sequence[float] | Floats
    units: Whole
    price: Whole


class Standing(NamedTuple):
    """Where a run stands: what is held, the order that waits for the next bar (signed; 0: none) with the position it is
    toward, the targets that were last acted on and told, and how many changes of the target came before.
    """

    held: Holding
    waiting: int
    toward: int
    acted: float
    told: float
    changes: int


class Traces(NamedTuple):
    """What is written down, a row each: fills with what is held after them, orders, and targets that were told."""

    fill_step: list[int]
    fill_quantity: list[int]
    fill_price: list[int]
    fill_fee: list[int]
    cash: list[int]
    held: list[int]
    cost: list[int]
    order_step: list[int]
    order_quantity: list[int]
    order_target: list[int]
    signal_step: list[int]


class Stop(NamedTuple):
    """The step before which a stretch ended, where the run stands then, and how many rows its traces have."""

    step: int
    standing: Standing
    fills: int
    orders: int
    signals: int


def forward(
    step: int,
    end: int,
    terms: AccountTerms,
    sizing: SizingTerms,
    market: Market,
    commands: Commands,
    begin: Standing,
    traces: Traces,
) -> Stop:
    """Take steps from `step` on, at most to `end`, as long as they are plain. `begin.changes` changes came before."""
    held, waiting, toward, acted, told = begin.held, begin.waiting, begin.toward, begin.acted, begin.told
    fills, orders, signals, changes, settled = 0, 0, 0, begin.changes, False
    while step < end:
        if settled and not waiting:  # nothing is decided or filled before a target changes
            while changes < len(commands.change) and commands.change[changes] < step:
                changes += 1
            until = min(commands.change[changes], end) if changes < len(commands.change) else end
            step = _covered(step, until, terms, market, held)
            if step < until or step == end:
                break
        sure, after, price, fee = _fill(step, terms, market, held, waiting)
        mark = market.close[step]
        if not sure or not covers_margin(terms, after, mark):
            break
        row = commands.row[step]
        new, quantity, whole, outcome = told, 0, 0, NOTHING
        if row >= 0:
            new = commands.target[row]
            if new != acted:
                made = sized(terms, sizing, after, commands.units[row], commands.price[row], mark)
                quantity, whole, outcome = made.quantity, made.target, made.outcome
                if outcome == UNSURE or (outcome == ORDER and not is_taken(terms, after, mark, quantity, whole)):
                    break
                acted = new
            settled = True
        if waiting:
            traces.fill_step[fills], traces.fill_quantity[fills] = step, waiting
            traces.fill_price[fills], traces.fill_fee[fills] = price, fee
            traces.cash[fills], traces.held[fills], traces.cost[fills] = after.cash, after.quantity, after.cost
            fills += 1
        if new != told:
            traces.signal_step[signals], told = step, new
            signals += 1
        held, waiting = after, 0
        if outcome == ORDER:
            traces.order_step[orders], traces.order_quantity[orders] = step, quantity
            traces.order_target[orders], waiting, toward = whole, quantity, whole
            orders += 1
        step += 1
    return Stop(step, Standing(held, waiting, toward, acted, told, changes), fills, orders, signals)


def _covered(step: int, until: int, terms: AccountTerms, market: Market, held: Holding) -> int:
    """The first step in [step, until) at whose close equity may not cover the margin; else `until`."""
    if not terms.leverage or not held.quantity:
        return until
    while step < until and covers_margin(terms, held, market.close[step]):
        step += 1
    return step


def _fill(
    step: int, terms: AccountTerms, market: Market, held: Holding, waiting: int
) -> tuple[bool, Holding, int, int]:
    """A bar's open and the order that waits: whether that is plain, what is held then, the price and the fee."""
    if not waiting:
        return True, held, 0, 0
    volume = market.volume[step]
    most = budget(terms, volume)
    if volume <= 0 or 0 <= most < abs(waiting):
        return False, held, 0, 0
    price = moved(terms, market.open[step], 1 if waiting > 0 else -1)
    if price < 0:
        return False, held, 0, 0
    sure, after, fee = filled(terms, held, price, waiting)
    return sure, after, price, fee
