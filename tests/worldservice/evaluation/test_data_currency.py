"""Until when a world has data: the evaluated end, its sessions' watermarks, and a replay's own time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from qmtl.core.modes import ExecutionDomain
from worldservice.evaluation.domain.data_currency import DataState, data_state
from worldservice.worlds.domain.session import Session, SessionPlan, open_session

NOW = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


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
