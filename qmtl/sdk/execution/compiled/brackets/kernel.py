"""The steps of a replay with brackets in which all is plain: whole market orders fill at the next open, their exits
rest until a bar reaches one of them or a market order closes what they protect.

A stretch begins and ends where nothing is held and no order is open. It is a table of phases; a step that is none of
its rows takes the stretch back to the last such place, from where the law of the replay goes on.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from brokerage.domain.backtest.compiled.account import (
    AccountTerms,
    Holding,
    budget,
    covers_margin,
    filled,
    filled_at,
    is_taken,
    moved,
    worth,
)
from qmtl.sdk.execution.compiled.exits import (
    CLOSE,
    LIST,
    MARKET,
    TRAIL,
    Exits,
    ExitTerms,
    Ranges,
    accepted,
    behind,
    met,
    placed,
)
from qmtl.sdk.execution.compiled.kernel import Commands, Market, Standing
from qmtl.sdk.execution.compiled.sizing import NOTHING, UNSURE, SizingTerms, sized

FLAT, ENTERING, HOLDING, CLOSING, CLOSED, REACHED, LEFT = 0, 1, 2, 3, 4, 5, 6
"""Nothing is held; an entry waits for its bar; exits rest; a market order that closes rests beside them; it has filled
in this bar, and they still rest; an exit has filled before it, which has ended it; exits rest that have nothing left to
reduce: the next bar ends them.
"""

_NO_TARGET = math.nan
"""Acted on while a market order closes: a target that returns meanwhile is one to act on."""
_SEQ_OF_EXIT = 5
"""INITIALIZED, UPDATED, SUBMITTED and ACCEPTED come before the fill of an exit, and each move of a trailing stop."""
_SEQ_OF_MARKET = 4


class Working(NamedTuple):
    """The orders of a position: its phase, the signed quantity of the market order that waits and its part, the step at
    which that was decided and the one at which the entry was, and the exits.
    """

    phase: int
    waiting: int
    part: int
    decided: int
    entered: int
    exits: Exits


class BracketTraces(NamedTuple):
    """What is written down, a row each: fills with what is held after them, orders, cancels of exits, and targets that
    were told. `fill_made_ns`: when a fill was made; `fill_decided`: the step that its order is named by.
    """

    fill_step: list[int]
    fill_quantity: list[int]
    fill_price: list[int]
    fill_fee: list[int]
    fill_part: list[int]
    fill_seq: list[int]
    fill_decided: list[int]
    fill_made_ns: list[int]
    cash: list[int]
    held: list[int]
    cost: list[int]
    order_step: list[int]
    order_quantity: list[int]
    order_target: list[int]
    order_part: list[int]
    cancel_step: list[int]
    cancel_of: list[int]
    cancel_sent: list[int]
    signal_step: list[int]


class Counts(NamedTuple):
    """How many rows the traces have, and how many orders were sent."""

    fills: int
    orders: int
    cancels: int
    signals: int
    sent: int


class BracketStop(NamedTuple):
    """The step before which a stretch ended, where the run stands then with how much in its traces, and the step that
    ended it.
    """

    step: int
    held: Holding
    acted: float
    told: float
    counts: Counts
    reached: int


class Bar(NamedTuple):
    """What a bar came to: whether that is sure, what is held after it, the orders after it, and how many fills."""

    sure: bool
    held: Holding
    working: Working
    fills: int


class Close(NamedTuple):
    """What a close came to: whether that is plain, the target acted on, the orders after it, and what was sent."""

    sure: bool
    acted: float
    working: Working
    orders: int
    cancels: int
    sent: int


def bracketed(
    step: int,
    end: int,
    terms: AccountTerms,
    sizing: SizingTerms,
    at: ExitTerms,
    market: Market,
    ranges: Ranges,
    commands: Commands,
    begin: Standing,
    traces: BracketTraces,
) -> BracketStop:
    """Take steps from `step` on, at most to `end`, as long as they are plain. Nothing is held or open at first."""
    held, acted, told, changes = begin.held, begin.acted, begin.told, begin.changes
    working, count, settled = Working(FLAT, 0, MARKET, 0, 0, Exits(0, 0, 0, 0, 0)), Counts(0, 0, 0, 0, 0), False
    stop = BracketStop(step, held, acted, told, count, step)
    while step < end:
        if settled and working.phase == FLAT and acted == told:  # nothing is decided before a target changes
            while changes < len(commands.change) and commands.change[changes] < step:
                changes += 1
            step = min(commands.change[changes], end) if changes < len(commands.change) else end
            stop = BracketStop(step, held, acted, told, count, step)
            if step == end:
                break
        bar = _bar(step, terms, at, market, ranges, held, working, traces, count.fills)
        if not bar.sure or not covers_margin(terms, bar.held, market.close[step]):
            break
        close = _close(step, terms, sizing, at, market, commands, bar, acted, traces, count)
        if not close.sure:
            break
        row, signals = commands.row[step], count.signals
        if row >= 0:
            settled = True
            if commands.target[row] != told:
                told = commands.target[row]
                traces.signal_step[signals] = step
                signals += 1
        held, acted, working = bar.held, close.acted, close.working
        fills, orders = count.fills + bar.fills, count.orders + close.orders
        count = Counts(fills, orders, count.cancels + close.cancels, signals, count.sent + close.sent)
        step += 1
        if working.phase == FLAT:
            stop = BracketStop(step, held, acted, told, count, step)
    return BracketStop(stop.step, stop.held, stop.acted, stop.told, stop.counts, step)


def _bar(
    step: int,
    terms: AccountTerms,
    at: ExitTerms,
    market: Market,
    ranges: Ranges,
    held: Holding,
    working: Working,
    traces: BracketTraces,
    fills: int,
) -> Bar:
    """The bar of a step: what it fills."""
    phase = working.phase
    if phase in (FLAT, LEFT):
        return Bar(True, held, Working(FLAT, 0, MARKET, 0, 0, Exits(0, 0, 0, 0, 0)), 0)
    if phase == ENTERING:
        return _entry(step, terms, at, market, ranges, held, working, traces, fills)
    found = met(terms, at, market, ranges, step, held.quantity, working.exits)
    if not found.sure:
        return Bar(False, held, working, 0)
    if found.part == MARKET:
        after = Working(phase, working.waiting, working.part, working.decided, working.entered, found.exits)
        if phase == HOLDING:
            return Bar(True, held, after, 0)
        return _closing(step, terms, market, ranges, held, after, traces, fills)
    rate = at.maker if found.made else terms.taker
    sure, left, fee = filled_at(terms, held, found.price, -held.quantity, rate)
    made_ns = ranges.start_ns[step] if found.at_open else ranges.start_ns[step] + ranges.interval_ns
    _note(traces, fills, step, -held.quantity, found.price, fee, left)
    traces.fill_part[fills], traces.fill_decided[fills] = found.part, working.entered
    traces.fill_seq[fills], traces.fill_made_ns[fills] = _SEQ_OF_EXIT, made_ns
    if found.part == TRAIL:
        traces.fill_seq[fills] = _SEQ_OF_EXIT + found.exits.moves
    ended = REACHED if phase == CLOSING else FLAT
    return Bar(sure, left, Working(ended, 0, MARKET, 0, working.entered, Exits(0, 0, 0, 0, 0)), 1)


def _entry(
    step: int,
    terms: AccountTerms,
    at: ExitTerms,
    market: Market,
    ranges: Ranges,
    held: Holding,
    working: Working,
    traces: BracketTraces,
    fills: int,
) -> Bar:
    """The bar that fills an entry: its exits rest from its end on."""
    sure, after, price, fee = _opened(step, terms, market, held, working.waiting)
    exits, mark, long = working.exits, market.close[step], working.waiting > 0
    trail = behind(terms, at, mark, long) if at.trail else 0
    end_ns = ranges.start_ns[step] + ranges.interval_ns
    exits = Exits(exits.stop, exits.target, trail, 0, end_ns)
    if not sure or trail < 0 or not accepted(terms, exits, mark, abs(working.waiting)):
        return Bar(False, held, working, 0)
    _note(traces, fills, step, working.waiting, price, fee, after)
    traces.fill_part[fills], traces.fill_decided[fills] = MARKET, working.decided
    traces.fill_seq[fills], traces.fill_made_ns[fills] = _SEQ_OF_MARKET, ranges.start_ns[step]
    return Bar(True, after, Working(HOLDING, 0, MARKET, 0, working.decided, exits), 1)


def _closing(
    step: int,
    terms: AccountTerms,
    market: Market,
    ranges: Ranges,
    held: Holding,
    working: Working,
    traces: BracketTraces,
    fills: int,
) -> Bar:
    """A bar that reached no exit, for the market order that closes what they protect."""
    sure, after, price, fee = _opened(step, terms, market, held, working.waiting)
    _note(traces, fills, step, working.waiting, price, fee, after)
    traces.fill_part[fills], traces.fill_decided[fills] = working.part, working.decided
    traces.fill_seq[fills], traces.fill_made_ns[fills] = _SEQ_OF_MARKET, ranges.start_ns[step]
    return Bar(sure, after, Working(CLOSED, 0, MARKET, 0, working.entered, working.exits), 1)


def _opened(
    step: int, terms: AccountTerms, market: Market, held: Holding, waiting: int
) -> tuple[bool, Holding, int, int]:
    """A whole market order at a bar's open: whether that is plain, what is held then, the price and the fee."""
    volume = market.volume[step]
    most = budget(terms, volume)
    price = moved(terms, market.open[step], 1 if waiting > 0 else -1)
    if volume <= 0 or 0 <= most < abs(waiting) or price < 0:
        return False, held, 0, 0
    sure, after, fee = filled(terms, held, price, waiting)
    return sure, after, price, fee


def _note(traces: BracketTraces, row: int, step: int, quantity: int, price: int, fee: int, after: Holding) -> None:
    traces.fill_step[row], traces.fill_quantity[row] = step, quantity
    traces.fill_price[row], traces.fill_fee[row] = price, fee
    traces.cash[row], traces.held[row], traces.cost[row] = after.cash, after.quantity, after.cost


def _close(
    step: int,
    terms: AccountTerms,
    sizing: SizingTerms,
    at: ExitTerms,
    market: Market,
    commands: Commands,
    bar: Bar,
    acted: float,
    traces: BracketTraces,
    count: Counts,
) -> Close:
    """What is decided at the close of a step."""
    working, row = bar.working, commands.row[step]
    if row < 0 or commands.target[row] == acted:
        phase = working.phase
        phase = LEFT if phase == CLOSED else FLAT if phase == REACHED else phase
        after = Working(phase, working.waiting, working.part, working.decided, working.entered, working.exits)
        return Close(True, acted, after, 0, 0, 0)
    mark, price, new = market.close[step], commands.price[row], commands.target[row]
    if working.phase == ENTERING:
        return Close(False, acted, working, 0, 0, 0)
    made = sized(terms, sizing, bar.held, commands.units[row], price, mark)
    if made.outcome == UNSURE:
        return Close(False, acted, working, 0, 0, 0)
    if working.phase == HOLDING:
        if made.outcome == NOTHING:
            return Close(True, new, working, 0, 0, 0)
        return _leave(step, terms, market, bar, made.target, traces, count)
    cancels = 0
    if working.phase == CLOSED:
        traces.cancel_step[count.cancels], traces.cancel_of[count.cancels] = step, working.entered
        traces.cancel_sent[count.cancels] = count.sent
        cancels = 1
    if made.outcome == NOTHING:
        return Close(True, new, Working(FLAT, 0, MARKET, 0, 0, Exits(0, 0, 0, 0, 0)), 0, cancels, 0)
    sure, exits = placed(terms, at, price, made.quantity > 0)
    trail = behind(terms, at, mark, made.quantity > 0) if at.trail else 0
    asked = Exits(exits.stop, exits.target, max(trail, 0), 0, 0)
    sure = sure and trail >= 0 and accepted(terms, asked, mark, abs(made.quantity))
    if not sure or not is_taken(terms, bar.held, mark, made.quantity, made.target):
        return Close(False, acted, working, 0, 0, 0)
    _sent(traces, count.orders, step, made.quantity, made.target, LIST)
    return Close(True, new, Working(ENTERING, made.quantity, MARKET, step, step, exits), 1, cancels, 1 + at.orders)


def _leave(
    step: int,
    terms: AccountTerms,
    market: Market,
    bar: Bar,
    target: int,
    traces: BracketTraces,
    count: Counts,
) -> Close:
    """A market order that closes what is held, where the target is on no side or the other one. What it protects is
    acted on once it has filled.
    """
    working, held = bar.working, bar.held.quantity
    value = worth(terms, market.close[step], abs(held))
    above = terms.notional_max > 0 and value > terms.notional_max
    if value < 0 or above or (target != 0 and (target > 0) == (held > 0)):
        return Close(False, _NO_TARGET, working, 0, 0, 0)
    part = CLOSE if target else MARKET
    _sent(traces, count.orders, step, -held, target, part)
    return Close(True, _NO_TARGET, Working(CLOSING, -held, part, step, working.entered, working.exits), 1, 0, 1)


def _sent(traces: BracketTraces, row: int, step: int, quantity: int, target: int, part: int) -> None:
    traces.order_step[row], traces.order_quantity[row] = step, quantity
    traces.order_target[row], traces.order_part[row] = target, part
