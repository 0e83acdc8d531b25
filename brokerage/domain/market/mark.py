"""The mark of an instrument: its last known price and when it was true."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.bars import Bar
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Mark:
    """The last known price of a symbol: when it was true, and how long a bar of it lasts."""

    price: int
    at_ns: int
    bar_ns: int = 0


def mark_of(bar: Bar) -> Mark:
    """The price that a bar leaves."""
    return Mark(bar.close, bar.end_ns, bar.end_ns - bar.start_ns)


SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS


def day_of(at_ns: int) -> int:
    """The UTC day, counted from the epoch, that an instant belongs to; midnight ends the day before."""
    return (at_ns - 1) // DAY_NS
