"""Phases of a campaign and moves between them, as a table over all pairs of phase and event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum

from qmtl.core.errors import NotReady


class Phase(Enum):
    """How far a strategy has come in a world. LIVE_CANARY holds a fraction of its target weight."""

    BACKTEST = "BACKTEST"
    PAPER = "PAPER"
    LIVE_CANARY = "LIVE_CANARY"
    LIVE_FULL = "LIVE_FULL"
    DEMOTED = "DEMOTED"


LIVE = frozenset({Phase.LIVE_CANARY, Phase.LIVE_FULL})


class PhaseEvent(Enum):
    """What moves a campaign."""

    RAISED_TO_PAPER = "RAISED_TO_PAPER"
    DESELECTED = "DESELECTED"
    PROMOTED = "PROMOTED"  # by the completed Apply of a promotion whose policy has canary steps
    PROMOTED_WHOLE = "PROMOTED_WHOLE"  # the same, without canary steps
    STEPPED = "STEPPED"  # by a completed Apply to the next canary step
    STEPPED_WHOLE = "STEPPED_WHOLE"  # by that beyond the last
    DEMOTED = "DEMOTED"
    FLAT = "FLAT"


MOVES: Mapping[tuple[Phase, PhaseEvent], Phase] = {
    (Phase.BACKTEST, PhaseEvent.RAISED_TO_PAPER): Phase.PAPER,
    (Phase.PAPER, PhaseEvent.DESELECTED): Phase.BACKTEST,
    (Phase.PAPER, PhaseEvent.PROMOTED): Phase.LIVE_CANARY,
    (Phase.PAPER, PhaseEvent.PROMOTED_WHOLE): Phase.LIVE_FULL,
    (Phase.LIVE_CANARY, PhaseEvent.STEPPED): Phase.LIVE_CANARY,
    (Phase.LIVE_CANARY, PhaseEvent.STEPPED_WHOLE): Phase.LIVE_FULL,
    (Phase.LIVE_CANARY, PhaseEvent.DEMOTED): Phase.DEMOTED,
    (Phase.LIVE_FULL, PhaseEvent.DEMOTED): Phase.DEMOTED,
    (Phase.DEMOTED, PhaseEvent.FLAT): Phase.PAPER,
}
"""Every other pair is no move."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Where one strategy stands in one world. `step` counts canary steps from 0; LIVE_FULL is beyond the last.

    `weights` are target weights by side, decimal strings, of which a canary step takes a fraction. `advance_run` is the
    newest apply to a next step, `advancing` whether its end was not seen yet. `counts` is on how many live data days in
    a row a demotion rule of the policy held, by its text, `counted` the day they were last counted at.
    """

    world_id: str
    strategy_id: str
    phase: Phase = Phase.BACKTEST
    revision: int = 0
    step: int = 0
    since: datetime | None = None
    live_since: datetime | None = None  # when it last went live
    advance_run: str = ""
    advancing: bool = False
    demoted_at: datetime | None = None
    demoted_by: str = ""  # the rule with its numbers
    paused_by: str = ""
    paused_reason: str = ""
    weights: tuple[tuple[str, str], ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    counted: date | None = None

    @property
    def paused(self) -> bool:
        """Paused: it may be demoted and nothing else."""
        return bool(self.paused_by)


def moved(campaign: Campaign, event: PhaseEvent, now: datetime) -> Campaign:
    """The campaign after an event. Raises NotReady (E_PHASE) for a pair that is no move."""
    after = MOVES.get((campaign.phase, event))
    if after is None:
        raise NotReady(
            "E_PHASE",
            f"{campaign.strategy_id} is in phase {campaign.phase.value}, which {event.value} does not lead out of",
            hint="GetCampaign tells the phase and what leads on",
        )
    step = campaign.step + 1 if event in (PhaseEvent.STEPPED, PhaseEvent.STEPPED_WHOLE) else 0
    later = replace(campaign, phase=after, step=step, since=now, revision=campaign.revision + 1, advancing=False)
    if event is PhaseEvent.DEMOTED:
        return replace(later, demoted_at=now)
    if event in (PhaseEvent.PROMOTED, PhaseEvent.PROMOTED_WHOLE):
        return replace(later, demoted_by="", counts=(), counted=None, live_since=now)
    return later
