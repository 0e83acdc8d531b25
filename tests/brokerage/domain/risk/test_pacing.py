"""The rate limit on orders."""

from __future__ import annotations

from brokerage.domain.risk.pacing import paced
from tests.brokerage.orders.test_limits import SECOND


def test_the_pace_allows_a_seconds_worth_at_once_and_then_an_even_flow() -> None:
    rate_ns, taken = 0, 0
    while (after := paced(rate_ns, 100, 50 * SECOND)) is not None:
        rate_ns, taken = after, taken + 1
    assert taken == 100
    assert paced(rate_ns, 100, 50 * SECOND + SECOND // 100 - 1) is None
    assert paced(rate_ns, 100, 50 * SECOND + SECOND // 100) is not None
    assert paced(rate_ns, 100, 99 * SECOND) == 98 * SECOND + SECOND // 100
