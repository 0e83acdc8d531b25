"""Whose a gateway's id is: the process that has been running all the time; a restart is no clash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from worldservice.activation.domain.gate_session import GateSession, gate_lapsed, opened, renewed
from worldservice.timing import GATE_MARGIN, GATE_TTL

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = GATE_TTL + GATE_MARGIN
TICK = timedelta(microseconds=1)
FIRST = GateSession("g", "a", NOW, {"w": 3}, NOW)


def test_a_session_lapses_right_after_its_life() -> None:
    assert not gate_lapsed(FIRST, NOW + LIFE)
    assert gate_lapsed(FIRST, NOW + LIFE + TICK)


def test_who_opens_has_applied_nothing_and_displaces_only_a_session_that_lives() -> None:
    assert opened(None, "g", "a", NOW) == GateSession("g", "a", NOW, {}, NOW)
    assert opened(FIRST, "g", "b", NOW + LIFE + TICK) == GateSession("g", "b", NOW + LIFE + TICK, {}, NOW + LIFE + TICK)
    later = NOW + LIFE
    assert opened(FIRST, "g", "b", later) == GateSession("g", "b", later, {}, later, displaced="a")
    assert opened(FIRST, "g", "a", later) == GateSession("g", "a", later, {}, NOW)


def test_a_displaced_process_that_still_runs_has_its_id_back_and_the_newcomer_is_refused() -> None:
    taken = opened(FIRST, "g", "b", NOW)
    assert taken is not None
    back = renewed(taken, "a", {"w": 4}, NOW + GATE_TTL)
    assert back == GateSession("g", "a", NOW + GATE_TTL, {"w": 4}, NOW + GATE_TTL, refused="b")
    assert back is not None
    assert renewed(back, "b", {}, NOW + GATE_TTL) is None
    assert opened(back, "g", "b", NOW + GATE_TTL + LIFE) is None
    free = opened(back, "g", "b", NOW + GATE_TTL + LIFE + TICK)
    assert free is not None
    assert (free.boot_id, free.refused) == ("b", "")
    assert opened(back, "g", "c", NOW + GATE_TTL) is not None  # a third is not the one that was refused


def test_a_copy_that_wakes_after_its_life_takes_nothing_back() -> None:
    taken = opened(FIRST, "g", "b", NOW)
    assert taken is not None
    kept = renewed(taken, "b", {}, NOW + LIFE)
    assert kept is not None
    assert kept.displaced == "a"
    assert renewed(kept, "a", {}, NOW + LIFE) is not None
    assert renewed(kept, "a", {}, NOW + LIFE + TICK) is None
    assert renewed(taken, "b", {}, NOW + LIFE + TICK) is None
    assert renewed(taken, "c", {}, NOW) is None
