"""Promotions to live: a request, an owner's approval, one Apply; a table over all pairs of state and event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from qmtl.core.errors import Conflict, NotReady, PermissionDenied
from worldservice.worlds.domain.block import Block

REQUEST_LASTS = timedelta(days=14)
APPROVAL_LASTS = timedelta(days=30)


class PromotionState(Enum):
    """Where a promotion stands. REQUESTED, APPROVED and APPLYING are open; a strategy has one open promotion."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    APPLYING = "APPLYING"
    APPLIED = "APPLIED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    VOID = "VOID"
    RENEWED = "RENEWED"


OPEN = frozenset({PromotionState.REQUESTED, PromotionState.APPROVED, PromotionState.APPLYING})


class PromotionEvent(Enum):
    """What moves a promotion."""

    APPROVED = "APPROVED"
    RENEWED = "RENEWED"  # approved, of who trades live already
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"  # of time: the request's, or its approval's
    INVALIDATED = "INVALIDATED"  # the strategy's version or the default policy changed
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


MOVES: Mapping[tuple[PromotionState, PromotionEvent], PromotionState] = {
    (PromotionState.REQUESTED, PromotionEvent.APPROVED): PromotionState.APPROVED,
    (PromotionState.REQUESTED, PromotionEvent.REJECTED): PromotionState.REJECTED,
    (PromotionState.REQUESTED, PromotionEvent.WITHDRAWN): PromotionState.WITHDRAWN,
    (PromotionState.REQUESTED, PromotionEvent.LAPSED): PromotionState.EXPIRED,
    (PromotionState.REQUESTED, PromotionEvent.RENEWED): PromotionState.RENEWED,
    (PromotionState.REQUESTED, PromotionEvent.INVALIDATED): PromotionState.VOID,
    (PromotionState.APPROVED, PromotionEvent.STARTED): PromotionState.APPLYING,
    (PromotionState.APPROVED, PromotionEvent.LAPSED): PromotionState.EXPIRED,
    (PromotionState.APPROVED, PromotionEvent.INVALIDATED): PromotionState.VOID,
    (PromotionState.APPLYING, PromotionEvent.COMPLETED): PromotionState.APPLIED,
    (PromotionState.APPLYING, PromotionEvent.FAILED): PromotionState.FAILED,
}
"""Every other pair is no move."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One request to bring a strategy live, for the version and the policy that it was asked under."""

    world_id: str
    strategy_id: str
    run_id: str
    requested_by: str
    requested_at: datetime
    reason: str
    version: str
    policy_version: int
    state: PromotionState = PromotionState.REQUESTED
    decided_by: str = ""  # who approved, rejected or withdrew it
    decided_at: datetime | None = None
    decision_reason: str = ""
    expires_at: datetime | None = None
    applied_by: str = ""
    apply_run_id: str = ""
    ended_at: datetime | None = None
    message: str = ""
    blocks: tuple[Block, ...] = ()  # as told when it was asked for
    renews: bool = False  # asked for while the strategy traded live: its approval is renewed, nothing is applied

    @property
    def open(self) -> bool:
        """Whether it may still lead to an Apply, or leads one."""
        return self.state in OPEN


def step(promotion: Promotion, event: PromotionEvent, now: datetime, message: str = "") -> Promotion:
    """The promotion after an event. Raises NotReady (E_PROMOTION_STATE) for a pair that is no move."""
    after = MOVES.get((promotion.state, event))
    if after is None:
        raise NotReady(
            "E_PROMOTION_STATE",
            f"promotion {promotion.run_id} of {promotion.strategy_id} is {promotion.state.value}, which "
            f"{event.value} does not lead out of",
            hint="read the promotion again",
        )
    ended = now if after not in OPEN else None
    return replace(promotion, state=after, ended_at=ended, message=message or promotion.message)


def require_none_open(known: Promotion | None, run_id: str) -> None:
    """Raises Conflict (E_PROMOTION_OPEN): a strategy has one open promotion."""
    if known is not None and known.open and known.run_id != run_id:
        raise Conflict(
            "E_PROMOTION_OPEN",
            f"promotion {known.run_id} of {known.strategy_id} is {known.state.value}",
            hint="withdraw it, or carry it to its end",
            metadata={"run_id": known.run_id},
        )


def decided(
    promotion: Promotion, event: PromotionEvent, actor: str, reason: str, now: datetime, expires_at: datetime | None
) -> Promotion:
    """The promotion approved, rejected or withdrawn by a person."""
    after = step(promotion, event, now, reason)
    return replace(after, decided_by=actor, decided_at=now, decision_reason=reason, expires_at=expires_at)


def require_two_persons(promotion: Promotion, actor: str, *, two_person: bool) -> None:
    """Raises PermissionDenied (E_TWO_PERSON) where the policy asks for another person than the requester."""
    if two_person and actor == promotion.requested_by:
        raise PermissionDenied(
            "E_TWO_PERSON",
            f"{actor} asked for promotion {promotion.run_id}, and the policy wants another person to approve it",
            hint="ask another owner",
        )


def due_event(
    promotion: Promotion, now: datetime, version: str, policy_version: int, *, approved: bool
) -> tuple[PromotionEvent, str] | None:
    """What time or a change of version does to an open promotion, with its sentence; None: nothing.

    `approved`: whether the strategy's approval to go live holds now.
    """
    if promotion.state is PromotionState.REQUESTED:
        if now >= promotion.requested_at + REQUEST_LASTS:
            return PromotionEvent.LAPSED, f"nobody approved it within {REQUEST_LASTS.days} days"
        return _changed(promotion, version, policy_version) if promotion.renews else None
    if promotion.state is not PromotionState.APPROVED:
        return None
    changed = _changed(promotion, version, policy_version)
    if changed is not None:
        return changed
    if promotion.expires_at is not None and now >= promotion.expires_at:
        return PromotionEvent.LAPSED, f"its approval ended at {promotion.expires_at:%Y-%m-%d %H:%M} UTC"
    if not approved:
        return PromotionEvent.LAPSED, "its approval was taken back"
    return None


def _changed(promotion: Promotion, version: str, policy_version: int) -> tuple[PromotionEvent, str] | None:
    """What it was asked for is not what there is."""
    if version != promotion.version:
        return (
            PromotionEvent.INVALIDATED,
            f"the strategy's version is {_short(version)}, not {_short(promotion.version)}",
        )
    if policy_version != promotion.policy_version:
        return PromotionEvent.INVALIDATED, f"the default policy is v{policy_version}, not v{promotion.policy_version}"
    return None


def _short(version: str) -> str:
    return version.removeprefix("blake3:")[:12] or "unknown"
