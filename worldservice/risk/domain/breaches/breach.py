"""A breach: how one target stands to one rule, as a state machine that moves once per snapshot. It narrows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from qmtl.core.errors import NotReady

CLEAR_AFTER = 2  # snapshots within 90 % of the limit


class BreachState(Enum):
    """See the table of moves in docs/risk.md."""

    WATCHED = "WATCHED"
    PENDING = "PENDING"
    BREACHED = "BREACHED"
    ACTED = "ACTED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    CLEARED = "CLEARED"


CLOSED = frozenset({BreachState.ACKNOWLEDGED, BreachState.CLEARED})


class Standing(Enum):
    """What one snapshot says of a target. NEAR: within the limit, and not within 90 % of it."""

    WITHIN = "WITHIN"
    NEAR = "NEAR"
    BEYOND = "BEYOND"


@dataclass(frozen=True, slots=True)
class Breach:
    """See risk.proto. `count` snapshots beyond in a row, `calm` within 90 % in a row; `sequence` 0: not stored yet."""

    scope: str
    rule: str
    target: str
    state: BreachState
    count: int = 0
    calm: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    act: str = ""
    detail: str = ""
    snapshot_version: str = ""
    since: datetime | None = None
    updated_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_reason: str = ""
    sequence: int = 0


def watched(scope: str, rule: str, target: str, act: str = "") -> Breach:
    """A target that no snapshot was beyond yet."""
    return Breach(scope, rule, target, BreachState.WATCHED, act=act)


def moved(breach: Breach, standing: Standing, want: int, now: datetime) -> Breach:
    """The breach after one more snapshot; `want` snapshots in a row make it BREACHED.

    An act is not taken here: who narrows calls `acted` in the same transaction.
    """
    beyond = standing is Standing.BEYOND
    calm = breach.calm + 1 if standing is Standing.WITHIN else 0
    count = breach.count + 1 if beyond else 0
    match breach.state:
        case BreachState.WATCHED | BreachState.PENDING:
            if not beyond:
                return replace(breach, state=BreachState.WATCHED, count=0, calm=calm, since=None, updated_at=now)
            state = BreachState.BREACHED if count >= want else BreachState.PENDING
            return replace(breach, state=state, count=count, calm=0, since=breach.since or now, updated_at=now)
        case BreachState.BREACHED:
            state = BreachState.CLEARED if calm >= CLEAR_AFTER else BreachState.BREACHED
            return replace(breach, state=state, count=count, calm=calm, updated_at=now)
        case BreachState.ACTED:
            return breach if (count, calm) == (breach.count, breach.calm) else replace(breach, count=count, calm=calm)
        case BreachState.ACKNOWLEDGED | BreachState.CLEARED:
            return breach


def acts(breach: Breach, want: int) -> bool:
    """Whether a rule with an act is to be carried out: after `want` snapshots in a row, and again after as many."""
    return breach.state is BreachState.BREACHED or (breach.state is BreachState.ACTED and breach.count >= want)


def acted(breach: Breach, detail: str, now: datetime) -> Breach:
    """A breach whose target was narrowed in this transaction, again too. Raises NotReady (E_BREACH_STATE)."""
    if breach.state not in (BreachState.BREACHED, BreachState.ACTED):
        raise _refused(breach, "BREACHED or ACTED")
    return replace(breach, state=BreachState.ACTED, count=0, calm=0, detail=detail, updated_at=now)


def acknowledged(breach: Breach, by: str, reason: str, now: datetime) -> Breach:
    """An operator has seen it. Again by anybody: as it is. Raises NotReady (E_BREACH_STATE)."""
    if breach.state is BreachState.ACKNOWLEDGED:
        return breach
    if breach.state is not BreachState.ACTED:
        raise _refused(breach, "ACTED")
    return replace(
        breach, state=BreachState.ACKNOWLEDGED, acknowledged_by=by, acknowledged_reason=reason, updated_at=now
    )


def _refused(breach: Breach, want: str) -> NotReady:
    return NotReady(
        "E_BREACH_STATE", f"breach {breach.sequence} of {breach.scope} is {breach.state.value}, want {want}"
    )
