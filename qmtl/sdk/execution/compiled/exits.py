"""What a bar does to the exits of a bracket, in a form that compiles: the formulas of `Bracket.prices`, `stop_behind`,
`fill_stop_market`, `fill_limit`, `step_trailing_stop` and `first_filled`.

An answer that is not sure leaves the bar to the replay bar by bar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from brokerage.domain.backtest.compiled.account import AccountTerms, budget, moved, worth
from brokerage.domain.backtest.compiled.exact import FAILED, quotient

if TYPE_CHECKING:
    from qmtl.sdk.execution.compiled.kernel import Market, Whole

MARKET, CLOSE, STOP, TRAIL, TARGET, LIST = 0, 1, 2, 3, 4, 5
"""Orders by their part: at the market, closing before a turn, the exits, and an entry with its exits."""

_TICKS_END = 1 << 59
_SANE_FACTOR = 10
"""The factor of `price_known`: the own price of an order is no further from the last price."""


class ExitTerms(NamedTuple):
    """The distances of a bracket in units of `down` to one; 0: it has no such exit. `maker`: the rate of 1e-8 for what
    rested, `orders`: how many exits there are.
    """

    stop: int
    target: int
    trail: int
    down: int
    maker: int
    orders: int


class Ranges(NamedTuple):
    """What exits need to know of bars, by step: prices in the units of the account's terms, and instants."""

    high: Whole
    low: Whole
    start_ns: Whole
    interval_ns: int


class Exits(NamedTuple):
    """Prices of the exits of a position, 0 where it has none; how often the trailing stop has moved, and from which
    instant on bars meet them.
    """

    stop: int
    target: int
    trail: int
    moves: int
    since_ns: int


class Met(NamedTuple):
    """What a bar does: whether that is sure, the exit that fills (MARKET: none) and its price, whether it fills by the
    bar's first price and whether it made; the exits after the bar.
    """

    sure: bool
    part: int
    price: int
    at_open: bool
    made: bool
    exits: Exits


def distant(terms: AccountTerms, price: int, share: int, down: int, rises: bool) -> int:
    """A price at a share (`share` over `down`) of another, to the tick: up or down; FAILED, for 0 too."""
    if share <= 0:
        return FAILED
    whole, rest = quotient(price, share, down * terms.tick)
    if whole < 0 or whole >= _TICKS_END // terms.tick:
        return FAILED
    ticks = whole + 1 if rises and rest else whole
    return ticks * terms.tick if ticks else FAILED


def behind(terms: AccountTerms, exits: ExitTerms, reference: int, long: bool) -> int:
    """Where a trailing stop stands behind a price; FAILED."""
    share = exits.down - exits.trail if long else exits.down + exits.trail
    return distant(terms, reference, share, exits.down, not long)


def placed(terms: AccountTerms, exits: ExitTerms, price: int, long: bool) -> tuple[bool, Exits]:
    """The exits of an entry decided at a price, without a trailing stop; whether all have a price."""
    stop = target = 0
    if exits.stop:
        share = exits.down - exits.stop if long else exits.down + exits.stop
        stop = distant(terms, price, share, exits.down, not long)
    if exits.target:
        share = exits.down + exits.target if long else exits.down - exits.target
        target = distant(terms, price, share, exits.down, long)
    return stop >= 0 and target >= 0, Exits(stop, target, 0, 0, 0)


def accepted(terms: AccountTerms, exits: Exits, mark: int, size: int) -> bool:
    """Whether no rule refuses the exits of a size at a last price."""
    return (
        _is_accepted(terms, exits.stop, mark, size)
        and _is_accepted(terms, exits.target, mark, size)
        and _is_accepted(terms, exits.trail, mark, size)
    )


def _is_accepted(terms: AccountTerms, price: int, mark: int, size: int) -> bool:
    """Whether an exit at a price is near the last one, and what it may be worth is countable and allowed."""
    if not price:
        return True
    if price >= terms.price_end // _SANE_FACTOR or mark >= terms.price_end // _SANE_FACTOR:
        return False
    if mark > price * _SANE_FACTOR or price > mark * _SANE_FACTOR:
        return False
    value = worth(terms, max(price, mark), size)
    return value >= 0 and not (terms.notional_max and value > terms.notional_max)


def met(terms: AccountTerms, at: ExitTerms, market: Market, ranges: Ranges, step: int, held: int, exits: Exits) -> Met:
    """What the bar of a step does to the exits of a position."""
    opened, volume = market.open[step], market.volume[step]
    if volume <= 0:
        return Met(True, MARKET, 0, False, False, exits)
    high, low, way = ranges.high[step], ranges.low[step], -1 if held > 0 else 1
    near = low if way < 0 else high  # what reaches a stop; the other end reaches a target
    part, price, at_open, sure = MARKET, 0, False, True
    if exits.stop and (near - exits.stop) * way >= 0:
        at_open = (opened - exits.stop) * way >= 0
        part, price = STOP, moved(terms, opened if at_open else exits.stop, way)
        sure = price >= 0
    if exits.trail and (near - exits.trail) * way >= 0:
        first = (opened - exits.trail) * way >= 0
        found = moved(terms, opened if first else exits.trail, way)
        sure = sure and found >= 0
        if part == MARKET or (first and not at_open) or (first == at_open and (found - price) * way > 0):
            part, price, at_open = TRAIL, found, first
    made, far = False, high if way < 0 else low
    if exits.target and (exits.target - far) * way > 0:
        first = (exits.target - opened) * way > 0
        found = opened if first else exits.target
        if part == MARKET or (first and not at_open) or (first == at_open and (found - price) * way > 0):
            part, price, at_open = TARGET, found, first
            made = not first or ranges.start_ns[step] - exits.since_ns >= ranges.interval_ns
    if part != MARKET:
        most = budget(terms, volume)
        return Met(sure and not 0 <= most < abs(held), part, price, at_open, made, exits)
    return _followed(terms, at, exits, far, way)


def _followed(terms: AccountTerms, at: ExitTerms, exits: Exits, far: int, way: int) -> Met:
    """The exits after a bar that reached none: the trailing stop has followed its best price."""
    stop, moves = exits.trail, exits.moves
    if stop:
        new = behind(terms, at, far, way < 0)
        if new < 0:
            return Met(False, MARKET, 0, False, False, exits)
        if (stop - new) * way > 0:
            stop, moves = new, moves + 1
    return Met(True, MARKET, 0, False, False, Exits(exits.stop, exits.target, stop, moves, exits.since_ns))
