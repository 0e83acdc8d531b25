"""The rate limit on orders of an account: a second's worth at once, then an even flow."""

from __future__ import annotations

SECOND_NS = 1_000_000_000


def paced(rate_ns: int, per_s: int, now_ns: int) -> int | None:
    """Where the even pace of a rate limit stands after one more order now, or None if that is too fast.

    A second's worth of orders may come at once. `rate_ns` is what the order before returned, 0 if there was none.
    """
    begin = now_ns - SECOND_NS
    after = max(rate_ns or begin, begin) + SECOND_NS // per_s
    return after if after <= now_ns else None
