"""The breaker: opens on a peer that is away, lets one call through to see, closes on an answer."""

from __future__ import annotations

import time

import pytest

from qmtl.core.errors import DeadlineExceeded, NotFound, QmtlError, Unavailable
from qmtl.rpc.client.breaker import Breaker, BreakerState

AWAY = Unavailable("E_UNAVAILABLE", "connection refused")


def opened(open_s: float = 60.0) -> Breaker:
    breaker = Breaker("peer", failures_max=3, open_s=open_s)
    for _ in range(3):
        breaker.check()
        breaker.failed(AWAY, 10.0)
    return breaker


def after(error: QmtlError, allowed_s: float) -> BreakerState:
    """The state of a breaker that opens at once."""
    breaker = Breaker("peer", failures_max=1)
    breaker.failed(error, allowed_s)
    return breaker.state


def half_open() -> Breaker:
    breaker = opened(open_s=0.05)
    deadline = time.monotonic() + 5
    while breaker.state is not BreakerState.HALF_OPEN:
        assert time.monotonic() < deadline
    return breaker


def test_opens_after_failures_in_a_row_and_refuses_at_once() -> None:
    breaker = opened()
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(Unavailable) as refused:
        breaker.check()
    assert refused.value.reason == "E_BREAKER_OPEN"
    assert refused.value.retry_after_s


def test_an_answer_between_failures_keeps_it_closed() -> None:
    breaker = Breaker("peer", failures_max=3)
    for error in (AWAY, AWAY, NotFound("E_WORLD_UNKNOWN", "no"), AWAY, AWAY):
        breaker.failed(error, 10.0)
    assert breaker.state is BreakerState.CLOSED


def test_error_the_peer_itself_gave_is_an_answer() -> None:
    assert after(Unavailable("E_FENCE_PENDING", "later"), 10.0) is BreakerState.CLOSED


def test_short_deadline_says_nothing_of_the_peer() -> None:
    assert after(DeadlineExceeded("E_DEADLINE_EXCEEDED", "late"), 0.1) is BreakerState.CLOSED
    assert after(DeadlineExceeded("E_DEADLINE_EXCEEDED", "late"), 5.0) is BreakerState.OPEN


def test_half_open_lets_one_through_and_an_answer_closes() -> None:
    breaker = half_open()
    breaker.check()
    with pytest.raises(Unavailable):
        breaker.check()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    breaker.check()


def test_half_open_failure_opens_again() -> None:
    breaker = half_open()
    breaker.check()
    breaker.failed(AWAY, 10.0)
    assert breaker.state is BreakerState.OPEN
