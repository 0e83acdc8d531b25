"""An exchange's clock: off by seconds it is followed, a jump ahead of it is not, and more than half a minute never."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qmtl.core.clock import VirtualClock
from qmtl.core.instants import to_ns
from seamless.sources.ccxt.clock import SAID_TIMES, ExchangeClock

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
START_NS = to_ns(START)
S_NS = 1_000_000_000


def clocks() -> tuple[VirtualClock, ExchangeClock]:
    ours = VirtualClock(START)
    return ours, ExchangeClock("test", ours)


@pytest.mark.parametrize("off_s", [-3_600, -20, 0, 20, 30])
def test_a_clock_that_is_off_is_followed(off_s: int) -> None:
    ours, theirs = clocks()
    theirs.answered(START_NS + off_s * S_NS, 0.1)
    ours.advance(7.5)
    assert theirs.now_ns() == START_NS + off_s * S_NS + 7_500_000_000


def test_far_ahead_of_ours_ours_counts_until_it_is_near_again() -> None:
    ours, theirs = clocks()
    theirs.answered(START_NS + 30 * S_NS + 1, 0.1)
    assert theirs.now_ns() == START_NS
    ours.advance(60.0)
    theirs.answered(START_NS + 61 * S_NS, 0.1)
    assert theirs.now_ns() == START_NS + 61 * S_NS


def test_a_step_ahead_counts_once_it_was_said_often_and_long_enough() -> None:
    ours, theirs = clocks()
    theirs.answered(START_NS, 0.1)
    for _ in range(SAID_TIMES):
        ours.advance(14.0)
        theirs.answered(to_ns(ours.now()) + 20 * S_NS, 0.1)
        assert theirs.now_ns() == to_ns(ours.now()), "28 s are not long enough"
    ours.advance(2.0)
    theirs.answered(to_ns(ours.now()) + 20 * S_NS, 0.1)
    assert theirs.now_ns() == to_ns(ours.now()) + 20 * S_NS


def test_a_step_ahead_said_three_times_over_half_a_minute_counts() -> None:
    ours, theirs = clocks()
    theirs.answered(START_NS, 0.1)
    for counts in (False, False, True):
        ours.advance(15.0)
        theirs.answered(to_ns(ours.now()) + 20 * S_NS, 0.1)
        assert (theirs.now_ns() == to_ns(ours.now()) + 20 * S_NS) == counts


def test_a_step_ahead_said_twice_only_does_not_count() -> None:
    ours, theirs = clocks()
    theirs.answered(START_NS, 0.1)
    for _ in range(SAID_TIMES - 1):
        ours.advance(60.0)
        theirs.answered(to_ns(ours.now()) + 20 * S_NS, 0.1)
    assert theirs.now_ns() == to_ns(ours.now())


def test_a_jump_that_goes_away_is_forgotten() -> None:
    ours, theirs = clocks()
    theirs.answered(START_NS, 0.1)
    for off_s in (20, 20, 0, 20, 20):
        ours.advance(31.0)
        theirs.answered(to_ns(ours.now()) + off_s * S_NS, 0.1)
        assert theirs.now_ns() == to_ns(ours.now())


def test_a_small_step_ahead_counts_at_once() -> None:
    _, theirs = clocks()
    theirs.answered(START_NS, 0.1)
    theirs.answered(START_NS + 1_500_000_000, 0.1)
    assert theirs.now_ns() == START_NS + 1_500_000_000
    theirs.heard(START_NS + 1_600_000_000)
    assert theirs.now_ns() == START_NS + 1_600_000_000


def test_a_step_back_counts_at_once_and_a_slow_answer_is_none() -> None:
    _, theirs = clocks()
    theirs.answered(START_NS, 0.1)
    theirs.answered(START_NS - 2 * S_NS, 2.0)
    assert theirs.now_ns() == START_NS, "it was that late when it was said"
    theirs.answered(START_NS - 2 * S_NS, 1.9)
    assert theirs.now_ns() == START_NS - 2 * S_NS


def test_what_is_told_beside_something_else_never_sets_it_back() -> None:
    _, theirs = clocks()
    theirs.heard(START_NS + S_NS)
    theirs.answered(START_NS, 0.1)
    theirs.heard(START_NS - 60 * S_NS)
    assert theirs.now_ns() == START_NS
    theirs.heard(START_NS + 3_600 * S_NS)
    assert theirs.now_ns() == START_NS


def test_it_is_asked_again_when_it_is_old() -> None:
    ours, theirs = clocks()
    assert theirs.older_than(30.0)
    theirs.answered(START_NS, 0.1)
    ours.advance(30.0)
    theirs.heard(START_NS + 30 * S_NS)
    assert not theirs.older_than(30.0)
    ours.advance(0.1)
    assert theirs.older_than(30.0)
