"""Demotion rules over live evidence: counted once per live data day, in order, until one has held long enough. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from worldservice.campaigns.domain.phases import Campaign
from worldservice.policy.domain.campaign.demotion import DemotionRule
from worldservice.policy.domain.expressions import NotComputable


@dataclass(frozen=True, slots=True)
class EvidenceDay:
    """What rules read at the end of one live data day; a name that is absent is not known."""

    day: date
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that held long enough, and the day and numbers that it did with."""

    rule: DemotionRule
    evidence: EvidenceDay
    held: int

    def sentence(self) -> str:
        """For the audit log and for people."""
        numbers = ", ".join(f"{name} {self.evidence.figures[name]:.6g}" for name in self.rule.when.names)
        return f"{self.rule.when.text} on {self.held} live data days to {self.evidence.day.isoformat()}: {numbers}"


def count_days(
    campaign: Campaign, rules: Sequence[DemotionRule], days: Sequence[EvidenceDay]
) -> tuple[Campaign, Fired | None]:
    """The campaign with the days that were not counted yet, and the first rule that fires; its days end there.

    A rule with a number that is not known is not counted that day: a gap neither clears it nor adds to it.
    """
    counts = dict(campaign.counts)
    for one in days:
        if campaign.counted is not None and one.day <= campaign.counted:
            continue
        fired = [found for rule in rules if (found := _counted(rule, one, counts)) is not None]
        known = {key: count for key, count in counts.items() if key in {key_of(rule) for rule in rules}}
        campaign = replace(campaign, counted=one.day, counts=tuple(sorted(known.items())))
        by_itself = next((found for found in fired if found.rule.auto), None)
        if by_itself is not None:
            return campaign, by_itself
    return campaign, None


def recommended(campaign: Campaign, rules: Sequence[DemotionRule], days: Sequence[EvidenceDay]) -> Fired | None:
    """The first rule without `auto` that has held long enough by the last day that was counted."""
    newest = next((one for one in reversed(days) if one.day == campaign.counted), None)
    counts = dict(campaign.counts)
    for rule in rules:
        held = counts.get(key_of(rule), 0)
        if not rule.auto and held >= rule.held and newest is not None and newest.figures.keys() >= {*rule.when.names}:
            return Fired(rule, newest, held)
    return None


def key_of(rule: DemotionRule) -> str:
    """What a rule is counted under: another policy with the same rule goes on with its count."""
    return f"{rule.when.text} for {rule.held}{'' if rule.auto else ' recommended'}"


def _counted(rule: DemotionRule, one: EvidenceDay, counts: dict[str, int]) -> Fired | None:
    """Counts one rule's day; the rule, where it held long enough."""
    if not one.figures.keys() >= {*rule.when.names}:
        return None
    try:
        holds = rule.when.test(one.figures)
    except NotComputable:
        return None
    counts[key_of(rule)] = counts.get(key_of(rule), 0) + 1 if holds else 0
    return Fired(rule, one, counts[key_of(rule)]) if holds and counts[key_of(rule)] >= rule.held else None
