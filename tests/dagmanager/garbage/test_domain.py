"""Verdicts and batch sizes of garbage collection."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dagmanager.garbage.domain import PLAN_RETENTION, Candidate, Kept, batch_size, judge
from dagmanager.queues.domain.queues import RETENTION, Counters, QueueState
from qmtl.core.identity.nodes import QueueClass
from tests.dagmanager.garbage.collection import after
from tests.dagmanager.graphs import NOW


def test_the_batch_is_halved_above_eighty_percent_and_never_zero() -> None:
    assert [batch_size(50, used) for used in (0.0, 0.8, 0.81, 1.5)] == [50, 50, 25, 25]
    assert batch_size(1, 0.9) == 1


def test_a_verdict_needs_a_known_state_and_class() -> None:
    def queue(state: str, queue_class: str = "RAW") -> Candidate:
        return Candidate("k", "n", "w", "LIVE", queue_class, state, NOW, Counters())

    later = after(days=1_000).now
    found = [judge(queue(state), later) for state in ("ACTIVE", "DROPPED", "ARCHIVED", "LATER_WORD", "RELEASED")]
    assert found == [Kept.IN_USE, Kept.DROPPED_BEFORE, Kept.IN_USE, Kept.IN_USE, None]
    assert judge(queue("RELEASED", "EXOTIC"), later) is Kept.UNKNOWN_CLASS
    assert {state.name for state in QueueState} >= {"ACTIVE", "RELEASED", "DROPPED"}


def test_a_released_queue_without_its_time_is_kept() -> None:
    queue = Candidate("k", "n", "w", "LIVE", "RAW", "RELEASED", None, Counters())
    assert judge(queue, after(days=1_000).now) is Kept.IN_USE


@pytest.mark.parametrize("queue_class", list(QueueClass))
def test_a_queue_is_due_at_the_end_of_its_class_time_to_live_and_grace_and_not_before(queue_class: QueueClass) -> None:
    queue = Candidate("k", "n", "w", "LIVE", queue_class.name, "RELEASED", NOW, Counters())
    ends = RETENTION[queue_class].ends_at(NOW)
    assert judge(queue, ends - timedelta(microseconds=1)) is Kept.NOT_DUE
    assert judge(queue, ends) is None


def test_a_sentinel_outlives_its_plan_by_210_days() -> None:
    assert PLAN_RETENTION.ends_at(NOW) == NOW + timedelta(days=180 + 30)
