"""Canary steps: which fraction of its target weight a strategy trades live, and when the next step is open."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from worldservice.campaigns.domain.divergence.verdict import Verdict
from worldservice.policy.domain.campaign.terms import CanaryStep


def weight_at(steps: Sequence[CanaryStep], step: int, target: Decimal) -> Decimal:
    """The weight of a canary step: the target times the step's share; beyond the last step the target itself."""
    return target * steps[step].share if step < len(steps) else target


def step_obstacles(
    steps: Sequence[CanaryStep], step: int, live_days: int, verdict: Verdict | None, breaches: Sequence[str]
) -> tuple[str, ...]:
    """Why the next step is not open yet, a sentence each; empty: it is. `live_days`: live data days at this step."""
    if step >= len(steps):
        return ("all canary steps are done",)
    told = []
    want = steps[step].days
    if live_days < want:
        told.append(
            f"needs {want - live_days} more live data days at {steps[step].share:%} of its weight, has {live_days}"
        )
    told.extend(f"breach {breach} is open" for breach in breaches)
    if verdict is None or verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        told.append(f"its newest divergence report says {'nothing yet' if verdict is None else verdict.value}")
    return tuple(told)
