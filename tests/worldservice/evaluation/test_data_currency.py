"""Until when a world has data: the evaluated end, its sessions' watermarks, and a replay's own time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import ExecutionDomain
from tests.worldservice.samples import DOCUMENT
from worldservice.evaluation.domain.data_currency import DataState, data_currency, data_state
from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome
from worldservice.policy.domain.policy import parse_policy
from worldservice.worlds.domain.feed import Feed
from worldservice.worlds.domain.session import Session, SessionPlan, open_session

NOW = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = parse_policy(DOCUMENT)


def session(watermark: datetime) -> Session:
    start = NOW - 9 * HOUR
    made = open_session("w", ExecutionDomain.DRYRUN, SessionPlan(start, "demo", "blake3:00"), start)
    return replace(made, watermark=watermark)


def test_data_ends_at_the_later_of_the_newest_watermark_and_the_evaluated_end() -> None:
    sessions = (session(NOW - 3 * HOUR), session(NOW - HOUR), session(NOW - 2 * HOUR))
    assert data_state(NOW, NOW - 2 * HOUR, sessions, replay=False) == DataState(NOW, NOW - HOUR)
    assert data_state(NOW, NOW, sessions, replay=False) == DataState(NOW, NOW)
    assert data_state(NOW, None, (), replay=False) == DataState(NOW, None)


def test_a_replay_is_measured_against_its_own_watermark() -> None:
    sessions = (session(NOW - 3 * HOUR), session(NOW - 2 * HOUR))
    ends = NOW - 2 * HOUR
    assert data_state(NOW, NOW - HOUR, sessions, replay=True) == DataState(ends, ends)
    assert data_state(NOW, NOW - HOUR, (), replay=True) == DataState(NOW - HOUR, NOW - HOUR)
    assert data_state(NOW, None, (), replay=True) == DataState(NOW, None)


def feed(preset: str, watermark: datetime, next_close: datetime) -> Feed:
    return Feed(preset, watermark, next_close)


def test_the_feed_that_is_furthest_behind_counts_and_nothing_that_was_evaluated() -> None:
    feeds = (feed("a", NOW - HOUR, NOW), feed("b", NOW - 2 * HOUR, NOW - HOUR))
    state = data_state(NOW, NOW, (session(NOW),), feeds, replay=False)
    assert state == DataState(NOW, NOW - 2 * HOUR, NOW - HOUR)


def test_a_preset_without_a_feed_is_not_current_by_anothers_nor_by_a_session_that_it_moved() -> None:
    state = data_state(NOW, NOW, (session(NOW),), (feed("a", NOW, NOW + HOUR),), 1, replay=False)
    assert data_currency(POLICY, state).reason is DecisionReason.DATA_END_UNKNOWN
    assert data_state(NOW, None, (session(NOW),), (), 1, replay=False) == DataState(NOW, NOW), "nothing is fed"


@pytest.mark.parametrize(
    ("late", "outcome"), [(-1, Outcome.PASS), (0, Outcome.PASS), (300, Outcome.PASS), (301, Outcome.FAIL)]
)
@pytest.mark.parametrize("interval", [timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1)])
def test_a_feed_is_late_by_the_close_that_is_due_whatever_its_interval(
    interval: timedelta, late: int, outcome: Outcome
) -> None:
    due = NOW - timedelta(seconds=late)
    verdict = data_currency(POLICY, DataState(NOW, due - interval, due))
    assert verdict.outcome is outcome
    assert verdict.reason is (None if outcome is Outcome.PASS else DecisionReason.DATA_STALE)


def test_a_feed_that_is_ahead_of_now_is_a_clock_fault() -> None:
    ahead = NOW + timedelta(seconds=61)
    verdict = data_currency(POLICY, DataState(NOW, ahead, ahead + HOUR))
    assert verdict.reason is DecisionReason.DATA_END_IN_FUTURE
    near = NOW + timedelta(seconds=60)
    assert data_currency(POLICY, DataState(NOW, near, near + HOUR)).reason is None


@pytest.mark.parametrize(("preset", "after"), [("", HOUR), ("p", timedelta()), ("p", -HOUR)])
def test_a_feed_that_makes_no_sense_is_refused(preset: str, after: timedelta) -> None:
    with pytest.raises(InvalidRequest, match="E_FEED"):
        Feed(preset, NOW, NOW + after)
