"""Phases and promotions over all pairs of state and event, and what time and versions do to a promotion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from qmtl.core.errors import Conflict, NotReady, PermissionDenied
from tests.worldservice.samples import NOW
from worldservice.campaigns.domain import promotions
from worldservice.campaigns.domain.phases import MOVES, Campaign, Phase, PhaseEvent, moved
from worldservice.campaigns.domain.promotions import (
    Promotion,
    PromotionEvent,
    PromotionState,
    decided,
    due_event,
    require_none_open,
    require_two_persons,
    step,
)

ASKED = Promotion("alpha", "s", "run", "bob", NOW, "ready", "blake3:v1", 7)
DAY = timedelta(days=1)
WAYS = {
    "BACKTEST": {"RAISED_TO_PAPER": "PAPER"},
    "PAPER": {"DESELECTED": "BACKTEST", "PROMOTED": "LIVE_CANARY", "PROMOTED_WHOLE": "LIVE_FULL"},
    "LIVE_CANARY": {"STEPPED": "LIVE_CANARY", "STEPPED_WHOLE": "LIVE_FULL", "DEMOTED": "DEMOTED"},
    "LIVE_FULL": {"DEMOTED": "DEMOTED"},
    "DEMOTED": {"FLAT": "PAPER"},
}
PROMOTIONS = {
    "REQUESTED": {
        "APPROVED": "APPROVED",
        "REJECTED": "REJECTED",
        "WITHDRAWN": "WITHDRAWN",
        "LAPSED": "EXPIRED",
        "RENEWED": "RENEWED",
        "INVALIDATED": "VOID",
    },
    "APPROVED": {"STARTED": "APPLYING", "LAPSED": "EXPIRED", "INVALIDATED": "VOID"},
    "APPLYING": {"COMPLETED": "APPLIED", "FAILED": "FAILED"},
}


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("event", list(PhaseEvent))
def test_a_phase_moves_as_the_table_says_and_not_otherwise(phase: Phase, event: PhaseEvent) -> None:
    want = WAYS[phase.value].get(event.value)
    before = Campaign("alpha", "s", phase, revision=3, step=1)
    if want is None:
        with pytest.raises(NotReady, match="E_PHASE"):
            moved(before, event, NOW)
        assert (phase, event) not in MOVES
        return
    after = moved(before, event, NOW)
    assert (after.phase.value, after.revision, after.since) == (want, 4, NOW)
    assert after.step == (2 if event in (PhaseEvent.STEPPED, PhaseEvent.STEPPED_WHOLE) else 0)
    assert (after.demoted_at == NOW) is (event is PhaseEvent.DEMOTED)


@pytest.mark.parametrize("state", list(PromotionState))
@pytest.mark.parametrize("event", list(PromotionEvent))
def test_a_promotion_moves_as_the_table_says_and_not_otherwise(state: PromotionState, event: PromotionEvent) -> None:
    want = PROMOTIONS.get(state.value, {}).get(event.value)
    before = replace(ASKED, state=state)
    if want is None:
        with pytest.raises(NotReady, match="E_PROMOTION_STATE"):
            step(before, event, NOW)
        return
    after = step(before, event, NOW + DAY, "why")
    assert (after.state.value, after.message) == (want, "why")
    assert (after.ended_at is None) is after.open is (want in PROMOTIONS)


def test_a_second_promotion_waits_for_the_open_one() -> None:
    require_none_open(None, "other")
    require_none_open(ASKED, "run")
    require_none_open(replace(ASKED, state=PromotionState.REJECTED), "other")
    with pytest.raises(Conflict, match="E_PROMOTION_OPEN") as caught:
        require_none_open(ASKED, "other")
    assert caught.value.metadata == {"run_id": "run"}


def test_who_asked_does_not_approve_where_two_have_to() -> None:
    require_two_persons(ASKED, "bob", two_person=False)
    require_two_persons(ASKED, "ann", two_person=True)
    with pytest.raises(PermissionDenied, match="E_TWO_PERSON"):
        require_two_persons(ASKED, "bob", two_person=True)


def test_a_decision_names_its_person_and_reason() -> None:
    after = decided(ASKED, PromotionEvent.APPROVED, "ann", "fine", NOW + DAY, NOW + 3 * DAY)
    assert (after.decided_by, after.decision_reason, after.decided_at) == ("ann", "fine", NOW + DAY)
    assert (after.expires_at, after.ended_at) == (NOW + 3 * DAY, None)


def due(promotion: Promotion, days: float, version: str = "blake3:v1", policy: int = 7, approved: bool = True) -> str:
    found = due_event(promotion, NOW + days * DAY, version, policy, approved=approved)
    return "" if found is None else f"{found[0].value}: {found[1]}"


def test_a_request_lapses_after_fourteen_days_and_nothing_else_ends_it() -> None:
    assert due(ASKED, 13.99, version="other", policy=8, approved=False) == ""
    assert due(ASKED, 14) == "LAPSED: nobody approved it within 14 days"


def test_an_approved_promotion_ends_with_its_version_policy_and_approval() -> None:
    approved = replace(ASKED, state=PromotionState.APPROVED, expires_at=NOW + 30 * DAY)
    assert due(approved, 29.9) == ""
    assert due(approved, 30).startswith("LAPSED: its approval ended")
    assert due(approved, 1, approved=False) == "LAPSED: its approval was taken back"
    assert due(approved, 1, version="blake3:v2") == "INVALIDATED: the strategy's version is v2, not v1"
    assert due(approved, 1, policy=8) == "INVALIDATED: the default policy is v8, not v7"
    assert due(replace(approved, expires_at=None), 400) == ""


@pytest.mark.parametrize("state", sorted(set(PromotionState) - promotions.OPEN | {PromotionState.APPLYING}, key=str))
def test_what_is_applied_or_over_is_left_alone(state: PromotionState) -> None:
    assert due(replace(ASKED, state=state), 400, version="other", policy=8, approved=False) == ""
