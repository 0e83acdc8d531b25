"""The steps of a replay of several symbols in which all is plain: whole market orders fill at the next open, changed
targets are sized together, reductions go first, and what grows waits for them.

A stretch begins where no order is open and nothing waits, and ends where no order is. A step that is not plain takes it
back to the last such place. Columns of all symbols lie one behind another; symbols are in order of their names, as bars
are met.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from brokerage.domain.backtest.compiled.account import (
    Holding,
    budget,
    filled,
    is_allowed,
    margin_of,
    moved,
    needed,
    worth,
)
from qmtl.sdk.execution.compiled.several.decided import Legs, Symbols, sizes, terms_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmtl.core.arrays.types import Floats
    from qmtl.sdk.execution.compiled.kernel import Whole

QUANTITY, COST, REALISED, FEES, FILLS, WAITING, DECIDED, PART, WAITS = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Columns of a symbol's state: its position, the order that waits with its step and part, and for how many bars and one
its leg has waited for others; 0: it does not.
"""
WIDTH = 9
ACTED, TOLD, AWAITED = 0, 1, 2
"""Columns of a symbol's targets: acted on, told, and the one that waits."""
TARGETS_WIDTH = 3
WHOLE_ORDER, CLOSING_ORDER = 0, 1
_NO_TARGET = math.nan
"""Acted on after an order that only closes: a target that returns before the rest is sent is one to act on."""
_SUM_END = 1 << 61
_TIMEOUT_BARS = 3
"""As decide.LEG_TIMEOUT_BARS: a leg that waits longer is given up, and told of."""


class Prices(NamedTuple):
    """By symbol and step: open, the newest close, volume, and whether a bar closes."""

    open: Whole
    close: Whole
    volume: Whole
    closes: Whole


class Targets(NamedTuple):
    """By symbol and step: whether there is a command, its target as given and as an integer, and the price it saw;
    `change`: the steps at which any target is not that of its command before.
    """

    given: Whole
    target: Sequence[float] | Floats
    units: Whole
    price: Whole
    change: Whole


class SeveralTraces(NamedTuple):
    """What is written down, row behind row. Of fills: step, symbol, quantity, price, fee, step and part of the order,
    cash, quantity and cost after it; of orders: step, symbol, quantity, target, part; of told targets: step, symbol.
    """

    fills: list[int]
    orders: list[int]
    signals: list[int]


FILLS_WIDTH, ORDERS_WIDTH, SIGNALS_WIDTH = 10, 5, 2


class Counts(NamedTuple):
    """How many rows the traces have."""

    fills: int
    orders: int
    signals: int


class SeveralStop(NamedTuple):
    """The step before which a stretch ended, the cash then with how much in its traces, and the step that ended it.
    What each symbol was left with is in the copies.
    """

    step: int
    cash: int
    counts: Counts
    reached: int


class State(NamedTuple):
    """Positions, orders and targets of all symbols, and copies of them from where a stretch may end."""

    now: list[int]
    targets: list[float]
    kept: list[int]
    kept_targets: list[float]


def several(
    step: int,
    end: int,
    symbols: Symbols,
    prices: Prices,
    targets: Targets,
    state: State,
    legs: Legs,
    cash: int,
    traces: SeveralTraces,
) -> SeveralStop:
    """Take steps from `step` on, at most to `end`, as long as they are plain. No order is open at first."""
    count, changes, quiet = Counts(0, 0, 0), 0, False
    _keep(state)
    stop = SeveralStop(step, cash, count, step)
    while step < end:
        if quiet:  # nothing is decided or filled before a target changes
            while changes < len(targets.change) and targets.change[changes] < step:
                changes += 1
            until = min(targets.change[changes], end) if changes < len(targets.change) else end
            step = _covered(step, until, symbols, prices, state, cash)
            stop = SeveralStop(step, cash, count, step)
            if step < until or step == end:
                break
        sure, cash, fills = _fill(step, symbols, prices, state, cash, traces, count.fills)
        if not sure:
            break
        covered, equity, used = _equity(step, symbols, prices, state, cash)
        if not covered or (symbols.leverage > 0 and equity <= used):
            break
        signals = _tell(step, symbols, targets, state, traces, count.signals)
        due = _due(step, symbols, prices, targets, state, legs)
        orders = 0
        if due > 0:
            if not sizes(symbols, legs, due, equity):
                break
            orders = _send(step, symbols, prices, state, legs, due, cash, equity - used, traces, count.orders)
            if orders < 0:
                break
        count = Counts(count.fills + fills, count.orders + orders, count.signals + signals)
        step += 1
        quiet = _is_quiet(symbols, state)
        if _is_at_rest(symbols, state):
            _keep(state)
            stop = SeveralStop(step, cash, count, step)
    return SeveralStop(stop.step, stop.cash, stop.counts, step)


def _keep(state: State) -> None:
    for at in range(len(state.now)):
        state.kept[at] = state.now[at]
    for at in range(len(state.targets)):
        state.kept_targets[at] = state.targets[at]


def _is_quiet(symbols: Symbols, state: State) -> bool:
    """Whether no order waits, and every target that was told was acted on."""
    for at in range(symbols.number):
        if state.now[at * WIDTH + WAITING]:
            return False
        if state.targets[at * TARGETS_WIDTH + ACTED] != state.targets[at * TARGETS_WIDTH + TOLD]:
            return False
    return True


def _is_at_rest(symbols: Symbols, state: State) -> bool:
    """Whether no order waits. A leg that does waits for orders that have filled."""
    open_orders = 0
    for at in range(symbols.number):
        open_orders += state.now[at * WIDTH + WAITING] != 0
    return open_orders == 0


def _covered(step: int, until: int, symbols: Symbols, prices: Prices, state: State, cash: int) -> int:
    """The first step in [step, until) at whose close equity may not cover the margin; else `until`."""
    if not symbols.leverage:
        return until
    while step < until:
        covered, equity, used = _equity(step, symbols, prices, state, cash)
        if not covered or equity <= used:
            return step
        step += 1
    return until


def _equity(step: int, symbols: Symbols, prices: Prices, state: State, cash: int) -> tuple[bool, int, int]:
    """Whether it is proved, the equity at a close, and the margin of all positions."""
    equity, used = cash, 0
    for at in range(symbols.number):
        quantity = state.now[at * WIDTH + QUANTITY]
        if quantity:
            terms = terms_at(symbols, at)
            value = worth(terms, prices.close[at * symbols.steps + step], abs(quantity))
            equity += value if quantity > 0 else -value
            if value < 0 or abs(equity) >= _SUM_END or used >= _SUM_END:
                return False, 0, 0
            if symbols.leverage:
                used += margin_of(terms, value)
    return True, equity, used


def _holding(state: State, at: int, cash: int) -> Holding:
    now, k = state.now, at * WIDTH
    return Holding(now[k], now[k + COST], now[k + REALISED], now[k + FEES], now[k + FILLS], cash)


def _fill(
    step: int, symbols: Symbols, prices: Prices, state: State, cash: int, traces: SeveralTraces, row: int
) -> tuple[bool, int, int]:
    """The orders that wait, at the opens of their bars: whether that is plain, the cash after them, and how many."""
    found = 0
    for at in range(symbols.number):
        k, here = at * WIDTH, at * symbols.steps + step
        waiting = state.now[k + WAITING]
        if not waiting:
            continue
        terms, volume = terms_at(symbols, at), prices.volume[here]
        most = budget(terms, volume)
        price = moved(terms, prices.open[here], 1 if waiting > 0 else -1)
        if not prices.closes[here] or volume <= 0 or 0 <= most < abs(waiting) or price < 0:
            return False, cash, 0
        sure, after, fee = filled(terms, _holding(state, at, cash), price, waiting)
        if not sure:
            return False, cash, 0
        cash = after.cash
        state.now[k + QUANTITY], state.now[k + COST], state.now[k + REALISED] = (
            after.quantity,
            after.cost,
            after.realised,
        )
        state.now[k + FEES], state.now[k + FILLS], state.now[k + WAITING] = after.fees, after.fills, 0
        to, out = row * FILLS_WIDTH, traces.fills
        out[to], out[to + 1], out[to + 2], out[to + 3], out[to + 4] = step, at, waiting, price, fee
        out[to + 5], out[to + 6] = state.now[k + DECIDED], state.now[k + PART]
        out[to + 7], out[to + 8], out[to + 9] = cash, after.quantity, after.cost
        row, found = row + 1, found + 1
    return True, cash, found


def _tell(step: int, symbols: Symbols, targets: Targets, state: State, traces: SeveralTraces, row: int) -> int:
    """Tell of changed targets in the order of the rules; how many there are."""
    found = 0
    for place in range(symbols.number):
        at = symbols.order[place]
        here, told = at * symbols.steps + step, at * TARGETS_WIDTH + TOLD
        if targets.given[here] and targets.target[here] != state.targets[told]:
            state.targets[told] = targets.target[here]
            to = (row + found) * SIGNALS_WIDTH
            traces.signals[to], traces.signals[to + 1] = step, at
            found += 1
    return found


def _due(step: int, symbols: Symbols, prices: Prices, targets: Targets, state: State, legs: Legs) -> int:
    """Gather the legs whose target is still to be acted on; how many."""
    found = 0
    for at in range(symbols.number):
        here, acted = at * symbols.steps + step, at * TARGETS_WIDTH + ACTED
        if not targets.given[here]:
            continue
        if targets.target[here] == state.targets[acted]:
            state.now[at * WIDTH + WAITS] = 0
            continue
        if state.now[at * WIDTH + WAITS] and state.targets[at * TARGETS_WIDTH + AWAITED] != targets.target[here]:
            state.now[at * WIDTH + WAITS] = 0
        legs.symbol[found], legs.held[found] = at, state.now[at * WIDTH + QUANTITY]
        legs.units[found], legs.price[found] = targets.units[here], targets.price[here]
        legs.target[found] = targets.target[here]
        found += 1
    return found


def _send(
    step: int,
    symbols: Symbols,
    prices: Prices,
    state: State,
    legs: Legs,
    due: int,
    cash: int,
    free: int,
    traces: SeveralTraces,
    row: int,
) -> int:
    """Reductions, turns and increases, in this order: how many orders; -1 where a rule may refuse one, or a leg has
    waited too long.
    """
    sent, reducing, left = 0, 0, free if symbols.leverage else cash
    pure = False
    for turn in range(3):
        pure = pure if turn == 2 else reducing > 0
        for leg in range(due):
            at, quantity, held = legs.symbol[leg], legs.best[leg], legs.held[leg]
            against = (held > 0 and quantity < 0) or (held < 0 and quantity > 0)
            closing = 0 if not against else quantity if abs(quantity) <= abs(held) else -held
            kind = 2 if closing == 0 else 0 if closing == quantity else 1
            if quantity == 0:
                if turn == 0:
                    _settle(state, at, legs.target[leg])
                continue
            if kind != turn:
                continue
            part, amount = WHOLE_ORDER, quantity
            if turn == 1 and pure and abs(held + quantity) > abs(held):
                part, amount = CLOSING_ORDER, closing
            if turn == 2 and reducing > 0:
                if not _wait(state, at, legs.target[leg]):
                    return -1
                continue
            cost = _cost(step, symbols, prices, state, at, amount, legs.whole[leg])
            if cost < 0 or (cost > 0 and cost > left):
                return -1
            left -= cost
            k = at * WIDTH
            state.now[k + WAITING], state.now[k + DECIDED], state.now[k + PART] = amount, step, part
            to, out = (row + sent) * ORDERS_WIDTH, traces.orders
            out[to], out[to + 1], out[to + 2], out[to + 3], out[to + 4] = step, at, amount, legs.whole[leg], part
            sent += 1
            if closing != 0:
                reducing += 1
            if part == WHOLE_ORDER:
                _settle(state, at, legs.target[leg])
                continue
            state.targets[at * TARGETS_WIDTH + ACTED] = _NO_TARGET
            if not _wait(state, at, legs.target[leg]):
                return -1
    return sent


def _settle(state: State, at: int, target: float) -> None:
    state.targets[at * TARGETS_WIDTH + ACTED] = target
    state.now[at * WIDTH + WAITS] = 0


def _wait(state: State, at: int, target: float) -> bool:
    """Have a leg wait for reductions; False: it has waited too long."""
    state.now[at * WIDTH + WAITS] += 1
    state.targets[at * TARGETS_WIDTH + AWAITED] = target
    return state.now[at * WIDTH + WAITS] <= _TIMEOUT_BARS


def _cost(step: int, symbols: Symbols, prices: Prices, state: State, at: int, signed: int, target: int) -> int:
    """What an order takes of free money; -1 where a rule may refuse it."""
    here, terms, held = at * symbols.steps + step, terms_at(symbols, at), _holding(state, at, 0)
    if not prices.closes[here] or not is_allowed(terms, held, prices.close[here], signed, target):
        return -1
    return needed(terms, held.quantity, prices.close[here], signed)
