"""The rate limit on orders of an account: a second's worth at once, then an even flow.

Orders that only reduce have a second's worth more, in reserve: it is paid back before anything else passes.
"""

from __future__ import annotations

SECOND_NS = 1_000_000_000


def paced(rate_ns: int, per_s: int, now_ns: int, *, reduces: bool = False) -> int | None:
    """Where the even pace of a rate limit stands after one more order now, or None if that is too fast.

    A second's worth of orders may come at once. `rate_ns` is what the order before returned, 0 if there was none. One
    that is farther ahead than it can get was stored before the clock was set back: it counts as used up to now.
    """
    step_ns = SECOND_NS // per_s
    if rate_ns > now_ns + 2 * SECOND_NS:
        rate_ns = now_ns - step_ns
    after = max(rate_ns or now_ns - SECOND_NS, now_ns - SECOND_NS) + step_ns
    return after if after <= now_ns + (SECOND_NS if reduces else 0) else None
