"""What is left of a queue whose records end earlier at the broker than the catalogue counted, or begin later.

Instants are microseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """First and last bucket, rows, and the distance of two buckets; 0 for a node without an interval."""

    first_us: int
    last_us: int
    rows: int
    interval_us: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What is left, None for nothing, and the first and last bucket that are lost."""

    kept: Extent | None
    first_us: int
    last_us: int


def loss_behind(counted: Extent, end_us: int | None) -> Loss:
    """All behind the last bucket that is there, earlier than the last one counted; None: there is none.

    Without an interval the rows behind it cannot be told from those before it, and the count stays: garbage collection
    then finds that it does not agree and keeps the queue.
    """
    if end_us is None or end_us < counted.first_us:
        return Loss(None, counted.first_us, counted.last_us)
    if counted.interval_us == 0:
        return Loss(Extent(counted.first_us, end_us, counted.rows, 0), end_us, counted.last_us)
    gone = (counted.last_us - end_us) // counted.interval_us
    kept = Extent(counted.first_us, end_us, max(0, counted.rows - gone), counted.interval_us)
    return Loss(kept, end_us + counted.interval_us, counted.last_us)


def loss_before(counted: Extent, begin_us: int) -> Loss:
    """All before the first bucket that is there, later than the first one counted: who wrote on left a gap.

    Without an interval the count stays, as in `loss_behind`.
    """
    if begin_us > counted.last_us:
        return Loss(None, counted.first_us, counted.last_us)
    if counted.interval_us == 0:
        return Loss(Extent(begin_us, counted.last_us, counted.rows, 0), counted.first_us, begin_us)
    there = (counted.last_us - begin_us) // counted.interval_us + 1
    kept = Extent(begin_us, counted.last_us, min(counted.rows, there), counted.interval_us)
    return Loss(kept, counted.first_us, begin_us - counted.interval_us)
