"""Verdicts and batch sizes of garbage collection."""

from __future__ import annotations

from dagmanager.garbage.domain import Candidate, Kept, batch_size, judge
from dagmanager.queues.domain.queues import Counters, QueueState
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
