"""Token buckets: never more than rate and burst, and a true time to come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.rate_limits import Buckets


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=200))
def test_bucket_never_lets_more_through_than_rate_and_burst(pauses: list[float]) -> None:
    buckets, now, passed = Buckets(2.0, 3.0), 100.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.take("ann", now) == 0
    assert passed <= 3 + 2.0 * (now - 100.0) + 1e-6


def test_bucket_says_truly_when_to_come_back() -> None:
    buckets = Buckets(2.0, 1.0)
    assert buckets.take("ann", 0.0) == 0
    wait_s = buckets.take("ann", 0.0)
    assert buckets.take("bob", 0.0) == 0
    assert buckets.take("ann", wait_s) == 0
