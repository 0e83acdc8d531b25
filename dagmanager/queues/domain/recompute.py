"""When a queue whose node changed its schema counts as computed again."""

from __future__ import annotations

from datetime import timedelta

RECOMPUTE_AFTER = timedelta(days=7)


def covers(
    after_us: int | None, first_bucket_us: int | None, last_bucket_us: int | None, bars: int, interval_us: int
) -> bool:
    """Whether the records since a schema changed reach over `bars` bars; without bars, whether there are any.

    `after_us`: the last bucket before the change; None: nothing had been written.
    """
    if first_bucket_us is None or last_bucket_us is None:
        return False
    before = first_bucket_us - interval_us if after_us is None else after_us
    if bars == 0 or interval_us == 0:
        return after_us is None or last_bucket_us > after_us
    return last_bucket_us - before >= bars * interval_us
