"""Demotions by a rule: the approval ends, and the re-decision that follows narrows what the strategy trades.

Nothing widens here: a strategy whose approval ended drains where it trades, and comes back by another promotion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from worldservice.activation.domain.hold import HoldState
from worldservice.activation.narrowing import narrow
from worldservice.activation.store.holds import find_hold
from worldservice.campaigns import store
from worldservice.campaigns.domain.demotion import Fired, count_days
from worldservice.campaigns.domain.phases import LIVE, Campaign, PhaseEvent, moved
from worldservice.campaigns.live.evidence import LiveEvidence
from worldservice.campaigns.recording import record_campaign
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import Act, audit_write
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import approvals
from worldservice.worlds.store.worlds import get_world

log = structlog.stdlib.get_logger("qmtl.worldservice.campaigns")


@dataclass(frozen=True, slots=True)
class Demotions:
    """Counts the demotion rules of a policy over live data days, and demotes by those that act by themselves."""

    settings: DecisionSettings
    evidence: LiveEvidence

    def due(self, conn: Connection, campaign: Campaign) -> bool:
        """Whether a day was not counted yet, or a rule waits to be carried out; a read."""
        after, fired = self._count(conn, get_world(conn, campaign.world_id), campaign)
        return fired is not None or after != campaign

    def judge(self, conn: Connection, act: Act, world: World, strategy_id: str) -> bool:
        """Counts what is new; whether a rule lowered the strategy. The caller holds the world."""
        campaign = store.find_campaign(conn, world.world_id, strategy_id)
        after, fired = self._count(conn, world, campaign)
        if fired is not None:
            if _held(conn, world):
                return False  # nothing is counted either, so the next round finds the same
            self._demote(conn, act, world, after, fired)
            return True
        if after != campaign:
            store.save_campaign(conn, after)  # a count is no move: nobody is told
        return False

    def _count(self, conn: Connection, world: World, campaign: Campaign) -> tuple[Campaign, Fired | None]:
        policy = policy_of(conn, world)
        if campaign.phase not in LIVE or policy is None or policy.campaign is None or not policy.campaign.demote:
            return campaign, None
        terms = policy.campaign
        return count_days(campaign, terms.demote, self.evidence.of_rules(conn, campaign, terms))

    def _demote(self, conn: Connection, act: Act, world: World, campaign: Campaign, fired: Fired) -> None:
        said = fired.sentence()
        approval = approvals.find_approval(conn, world.world_id, campaign.strategy_id)
        if approval is not None:
            approvals.save_approval(conn, replace(approval, revoked_at=act.now))
        narrowed = narrow(conn, world, self.settings, act)
        record_campaign(conn, act, replace(moved(campaign, PhaseEvent.DEMOTED, act.now), demoted_by=said))
        epoch = narrowed.activation.fence.epoch
        audit_write(conn, act, f"{fired.rule.act.value} {campaign.strategy_id} by rule {said}; epoch {epoch}")
        log.warning("demoted", world=world.world_id, strategy=campaign.strategy_id, rule=said)


def _held(conn: Connection, world: World) -> bool:
    """Whether an apply or a freeze has the activation for itself; one that completed has left it."""
    hold = find_hold(conn, world.world_id)
    return hold is not None and hold.state is not HoldState.RELEASED
