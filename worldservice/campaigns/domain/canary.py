"""Canary steps: which fraction of its target weight a strategy trades live, and when the next step is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from worldservice.campaigns.domain.blocks import BlockReason
from worldservice.campaigns.domain.divergence.verdict import Verdict
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.policy.domain.campaign.terms import CanaryStep


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """What opens the next step. `live_days`: live data days at this step; `trading`: it takes new risk live now.

    `verdict` is that of the newest divergence report, asked only where the policy writes `campaign.divergence`.
    """

    live_days: int
    breaches: tuple[str, ...] = ()
    trading: bool = True
    verdict: Verdict | None = None
    verdict_asked: bool = False


def weight_at(steps: Sequence[CanaryStep], step: int, target: Decimal) -> Decimal:
    """The weight of a canary step: the target times the step's share; beyond the last step the target itself."""
    return target * steps[step].share if step < len(steps) else target


def step_obstacles(steps: Sequence[CanaryStep], step: int, shown: StepEvidence) -> tuple[tuple[BlockReason, str], ...]:
    """Why the next step is not open yet, a reason and a sentence each; empty: it is."""
    if step >= len(steps):
        return ((BlockReason.CANARY_DAYS, "has all canary steps behind it"),)
    told = []
    want = steps[step].days
    if shown.live_days < want:
        days = want - shown.live_days
        said = f"needs {days} more live data days at {steps[step].share:%} of its weight, has {shown.live_days}"
        told.append((BlockReason.CANARY_DAYS, said))
    told.extend((BlockReason.BREACH_OPEN, f"has an open breach: {breach}") for breach in shown.breaches)
    if not shown.trading:
        told.append((BlockReason.NOT_TRADING_LIVE, "takes no new risk live: it drains, is frozen or was taken out"))
    if shown.verdict_asked and (shown.verdict is None or shown.verdict in (Verdict.FAIL, Verdict.UNKNOWN)):
        said = "nothing yet" if shown.verdict is None else shown.verdict.value
        told.append((BlockReason.DIVERGENCE_GUARD, f"has a newest divergence report that says {said}"))
    return tuple(told)


def allowed_step(campaign: Campaign, *, advance_holds: bool) -> int | None:
    """The canary step whose weight is the most a strategy may have live; None: its whole target.

    Who is not live yet enters at step 0. `advance_holds`: an apply to the next step is under way, or completed.
    """
    if campaign.phase is Phase.LIVE_FULL:
        return None
    if campaign.phase is not Phase.LIVE_CANARY:
        return 0
    return campaign.step + 1 if advance_holds else campaign.step


def weight_block(
    steps: Sequence[CanaryStep], step: int, target: Decimal, asked: float
) -> tuple[BlockReason, str] | None:
    """Why a weight is too high for a canary step; None: it is not."""
    most = float(weight_at(steps, step, target))
    if asked <= most:
        return None
    share = f"{steps[step].share:%}" if step < len(steps) else "all"
    return (
        BlockReason.CANARY_SHARE,
        f"asks for {asked:g} live, want at most {most:g}: {share} of {target.normalize():f}",
    )
