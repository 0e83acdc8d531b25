"""What is left of a queue whose records end earlier at the broker than the catalogue counted.

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


def kept_of(counted: Extent, end_us: int | None) -> tuple[Extent | None, int]:
    """What is left of a queue, None for nothing, and the first bucket that is lost.

    `end_us`: the last bucket that is there, earlier than the last one counted; None: there is none. Without an interval
    the rows behind it cannot be told from those before it, and the count stays: garbage collection then finds that it
    does not agree and keeps the queue.
    """
    if end_us is None or end_us < counted.first_us:
        return None, counted.first_us
    if counted.interval_us == 0:
        return Extent(counted.first_us, end_us, counted.rows, 0), end_us
    gone = (counted.last_us - end_us) // counted.interval_us
    kept = Extent(counted.first_us, end_us, max(0, counted.rows - gone), counted.interval_us)
    return kept, end_us + counted.interval_us
