"""Bars made of an exchange's trades, where it lists no more of its older bars.

Prices and volumes are exact decimals until a bar is whole; a bar in which nothing was traded is none. The bar of the
last trade that is listed is not whole, and neither is what comes after it: both are left open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from qmtl.calendars.spans import Span, floor_to, normalise, subtract
from seamless.domain.bars import coverage_of
from seamless.sources.ccxt.answers import Answer, Values, bars_of

LEAD_BARS = 2  # before a span: what follows on a trade there by its number is all that there is
ASKED_AGAIN_MAX = 64


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade; numbers of a symbol follow on one another."""

    number: int
    time_ns: int
    price: Decimal
    volume: Decimal


Ask = Callable[[int], Awaitable[Sequence[Trade]]]
"""The oldest trades later than an instant, one page of them."""


async def bars_from_trades(ask: Ask, span: Span, interval_ns: int) -> Answer:
    """What the trades of a span say about its bars. Numbers that are missing are asked for once more; where more are
    missing than can be asked for, what comes after them is left open.
    """
    lead_ns = span.start_ns - LEAD_BARS * interval_ns
    found = await _listed(ask, lead_ns, span.end_ns)
    if not any(one.time_ns < span.start_ns for one in found.values()):
        _add(found, await ask(span.start_ns - 1))
    asked: set[int] = set()
    while (before := _before_a_gap(found, asked)) is not None and len(asked) < ASKED_AGAIN_MAX:
        asked.add(before.number)
        _add(found, await ask(before.time_ns - 1))
    known = [one for one in found.values() if before is None or one.number <= before.number]
    return answer_of(known, span, interval_ns)


def answer_of(trades: Iterable[Trade], span: Span, interval_ns: int) -> Answer:
    """The bars of a span that its trades make, with what is empty of it, as far as the trades go."""
    ordered = sorted(trades, key=lambda one: (one.time_ns, one.number))
    until_ns = min(span.end_ns, floor_to(ordered[-1].time_ns, interval_ns)) if ordered else span.start_ns
    known = Span(span.start_ns, max(span.start_ns, until_ns))
    groups: dict[int, list[Trade]] = {}
    for one in ordered:
        if known.start_ns <= one.time_ns < known.end_ns:
            groups.setdefault(floor_to(one.time_ns, interval_ns), []).append(one)
    bars = bars_of({at: _values(group) for at, group in groups.items()})
    empty = subtract(normalise((known,)), coverage_of(bars.time_ns, interval_ns))
    return Answer(span, bars, empty)


async def _listed(ask: Ask, start_ns: int, end_ns: int) -> dict[int, Trade]:
    """Trades from an instant to the first one at or after an end, or until two answers have nothing new."""
    found: dict[int, Trade] = {}
    since_ns, silent = start_ns - 1, 0
    while silent < 2:
        silent = 0 if _add(found, await ask(since_ns)) else silent + 1
        last_ns = max((one.time_ns for one in found.values()), default=start_ns)
        if last_ns >= end_ns:
            break
        since_ns = last_ns - 1  # the trades of one instant may stand on two pages
    return found


def _add(found: dict[int, Trade], page: Sequence[Trade]) -> int:
    """Take a page over; how many of its trades are new."""
    fresh = {one.number: one for one in page if one.number not in found}
    found.update(fresh)
    return len(fresh)


def _before_a_gap(found: Mapping[int, Trade], asked: set[int]) -> Trade | None:
    """The first trade whose successor by number is not there though later ones are, and that was not asked about."""
    last = max(found, default=0)
    return next(
        (found[one] for one in sorted(found) if one + 1 not in found and one != last and one not in asked), None
    )


def _values(trades: Sequence[Trade]) -> Values:
    prices = [one.price for one in trades]
    volume = sum((one.volume for one in trades), Decimal(0))
    return float(prices[0]), float(max(prices)), float(min(prices)), float(prices[-1]), float(volume)
