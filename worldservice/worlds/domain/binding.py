"""Bindings of strategies to a world: their stage and sides, and an owner's approval to go live."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from qmtl.core.modes import EffectiveMode
from worldservice.worlds.domain.world import refused_field


@dataclass(frozen=True, slots=True)
class Approval:
    """An owner's word that a strategy may go live; it may end by itself and be taken back.

    `policy_version`: of the policy that approved by itself; it ends when another one is the default. 0: a person did.
    """

    world_id: str
    strategy_id: str
    approved_by: str
    reason: str
    approved_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    policy_version: int = 0

    def holds(self, now: datetime, policy_version: int) -> bool:
        """Whether it was neither taken back nor has ended, under the policy version that is the default now."""
        ended = self.expires_at is not None and now >= self.expires_at
        return self.revoked_at is None and not ended and self.policy_version in (0, policy_version)


STRATEGY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


class Side(Enum):
    """Long or short, of a strategy's exposure."""

    LONG = "LONG"
    SHORT = "SHORT"


class Stage(Enum):
    """How far a strategy may go in a world."""

    BACKTEST = "BACKTEST"
    PAPER = "PAPER"
    LIVE = "LIVE"


class BindingState(Enum):
    """REMOVED ones are kept, so that one that comes back is known."""

    ACTIVE = "ACTIVE"
    REMOVED = "REMOVED"


BOTH_SIDES = frozenset(Side)
_STAGE_MODE = {
    Stage.BACKTEST: EffectiveMode.COMPUTE_ONLY,
    Stage.PAPER: EffectiveMode.PAPER,
    Stage.LIVE: EffectiveMode.LIVE,
}


@dataclass(frozen=True, slots=True)
class Binding:
    """A strategy in a world."""

    world_id: str
    strategy_id: str
    stage: Stage
    state: BindingState
    sides: frozenset[Side]
    created_by: str
    created_at: datetime


def mode_of(stage: Stage) -> EffectiveMode:
    """The highest mode a binding's stage allows."""
    return _STAGE_MODE[stage]


def require_strategy_id(strategy_id: str) -> None:
    """Raises InvalidRequest (E_STRATEGY_ID)."""
    if STRATEGY_ID.fullmatch(strategy_id) is None:
        raise refused_field("E_STRATEGY_ID", "strategy_id", strategy_id, "1 to 128 of A-Z a-z 0-9 _ . : -")


@dataclass(frozen=True, slots=True)
class RaisedLive:
    """A side whose weight live would rise, from nothing too. `paper`: its weight on paper now; None: it has none."""

    strategy_id: str
    side: Side
    weight: float
    paper: float | None = None
