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


def test_reducing_orders_have_a_seconds_worth_in_reserve_that_is_paid_back() -> None:
    now_ns, rate_ns, taken = 50 * SECOND, 0, 0
    while (after := paced(rate_ns, 100, now_ns)) is not None:
        rate_ns = after
    while (after := paced(rate_ns, 100, now_ns, reduces=True)) is not None:
        rate_ns, taken = after, taken + 1
    assert taken == 100
    assert paced(rate_ns, 100, now_ns + SECOND) is None
    assert paced(rate_ns, 100, now_ns + SECOND + SECOND // 100) is not None


def test_a_pace_from_before_the_clock_was_set_back_denies_nothing_and_stays_a_limit() -> None:
    now_ns = 5000 * SECOND
    for back in (3 * SECOND, 20 * SECOND, 3600 * SECOND):
        after = paced(now_ns + back, 100, now_ns)
        assert after == now_ns
        assert paced(after, 100, now_ns) is None
        assert paced(after, 100, now_ns + SECOND // 100) is not None
    assert paced(now_ns + 2 * SECOND, 100, now_ns) is None  # what a reserve may have taken
