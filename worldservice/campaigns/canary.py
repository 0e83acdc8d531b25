"""Canary steps: the most that a strategy may weigh live in every apply, and the apply to the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.core.roles import Role
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import ApplyRun, ApplyState, content_of
from worldservice.apply.domain.targets import Target
from worldservice.apply.starting import ApplyStarter
from worldservice.campaigns import store
from worldservice.campaigns.domain.canary import allowed_step, weight_at, weight_block
from worldservice.campaigns.domain.phases import Campaign, Phase, PhaseEvent, moved
from worldservice.campaigns.recording import record_campaign
from worldservice.campaigns.standing import Campaigns, require_going, standing_targets
from worldservice.policy.domain.campaign.terms import CampaignTerms, CanaryStep
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import Act, audit_write, world_to_write
from worldservice.worlds.domain.binding import RaisedLive, Side, Stage
from worldservice.worlds.domain.block import Block, refuse_blocked
from worldservice.worlds.domain.world import World
from worldservice.worlds.store.bindings import get_active_binding
from worldservice.worlds.store.worlds import get_world

CANARY = "canary-"


def canary_blocks(conn: Connection, world: World, raised: Sequence[RaisedLive], now: datetime) -> Sequence[Block]:
    """What bars weights that rise live under a policy with canary steps: more than the step's share of the target."""
    policy = policy_of(conn, world)
    if policy is None or policy.campaign is None or not policy.campaign.live.canary:
        return ()
    found = []
    for one in raised:
        campaign = store.find_campaign(conn, world.world_id, one.strategy_id)
        step = allowed_step(campaign, advance_holds=_advance_holds(conn, campaign))
        if step is None:
            continue
        if campaign.phase is Phase.LIVE_CANARY:
            target = target_weights(campaign).get(one.side, Decimal(1))
        else:
            target = Decimal(1) if one.paper is None else Decimal(repr(one.paper))
        told = weight_block(policy.campaign.live.canary, step, target, one.weight)
        if told is not None:
            found.append(Block(told[0].value, one.strategy_id, told[1]))
    return found


@dataclass(frozen=True, slots=True)
class Canary:
    """Leads a strategy from step to step; `starter` is the one way into an apply."""

    campaigns: Campaigns
    starter: ApplyStarter

    def advance(self, conn: Connection, act: Act, strategy_id: str, run_id: str) -> Campaign:
        """Starts the apply to the next step, `canary-<run_id>`; asked again: as it stands.

        Raises NotReady (E_PHASE, E_CAMPAIGN_PAUSED, E_PROMOTION_BLOCKED with every block).
        """
        world = world_to_write(conn, act, Role.OPERATOR)
        binding = get_active_binding(conn, world.world_id, strategy_id)
        campaign = store.find_campaign(conn, world.world_id, strategy_id)
        if apply_store.has_run(conn, world.world_id, f"{CANARY}{run_id}"):
            audit_write(conn, act, f"{CANARY}{run_id} of {strategy_id} again: step {campaign.step}")
            return campaign
        looked = self.campaigns.look(conn, world, act.now)
        require_going(campaign)
        if campaign.phase is not Phase.LIVE_CANARY:
            raise NotReady(
                "E_PHASE",
                f"{strategy_id} is in phase {campaign.phase.value}, want LIVE_CANARY",
                hint="only a canary has a next step",
            )
        told = self.campaigns.told_of(looked, [binding], act.now)[0]
        refuse_blocked(told.blocks)
        mine = step_targets(campaign, looked.terms.live.canary)
        targets = (*standing_targets(looked, strategy_id), *mine)
        content = content_of(targets, False, True)
        asked = ApplyRun(
            world.world_id, f"{CANARY}{run_id}", ApplyState.REQUESTED, targets, True, act.actor, content, act.now
        )
        after = replace(campaign, advance_run=asked.run_id, advancing=True, revision=campaign.revision + 1)
        record_campaign(conn, act, after)
        self.starter.start(conn, act, asked, "", evaluate=False)
        risk = self.campaigns.risk_change(conn, world, mine).sentence()
        said = f"canary of {strategy_id} from step {campaign.step} on by {asked.run_id}"
        audit_write(conn, act, f"{said}, after {told.live_days} live data days; {risk}")
        return after

    def follow(self, conn: Connection, act: Act, strategy_id: str) -> bool:
        """The next step once its apply completed; as it was where the apply ended otherwise. Whether it rose."""
        campaign = store.find_campaign(conn, act.world_id, strategy_id)
        run = apply_store.find_run(conn, act.world_id, campaign.advance_run)
        if not campaign.advancing or (run is not None and run.ended_at is None):
            return False
        if run is None or run.state is not ApplyState.COMPLETED or campaign.phase is not Phase.LIVE_CANARY:
            ended = "is not on record" if run is None else f"ended {run.state.value}: {run.reason or 'no reason said'}"
            record_campaign(conn, act, replace(campaign, advancing=False, revision=campaign.revision + 1))
            audit_write(
                conn, act, f"canary of {strategy_id} stays at step {campaign.step}: {campaign.advance_run} {ended}"
            )
            return False
        policy = policy_of(conn, get_world(conn, act.world_id))
        terms = CampaignTerms() if policy is None or policy.campaign is None else policy.campaign
        last = campaign.step + 1 >= len(terms.live.canary)
        after = moved(campaign, PhaseEvent.STEPPED_WHOLE if last else PhaseEvent.STEPPED, act.now)
        record_campaign(conn, act, after)
        audit_write(conn, act, f"canary of {strategy_id}: step {campaign.step} to {after.phase.value} {after.step}")
        return True


def step_targets(campaign: Campaign, steps: Sequence[CanaryStep]) -> tuple[Target, ...]:
    """The strategy's sides live at the weight of its next step; beyond the last at the target itself."""
    return tuple(
        Target(campaign.strategy_id, side, float(weight_at(steps, campaign.step + 1, weight)), Stage.LIVE)
        for side, weight in sorted(target_weights(campaign).items(), key=lambda row: row[0].value)
    )


def target_weights(campaign: Campaign) -> Mapping[Side, Decimal]:
    """Target weights by side, of which a step takes a fraction."""
    return {Side(side): Decimal(weight) for side, weight in campaign.weights}


def _advance_holds(conn: Connection, campaign: Campaign) -> bool:
    """Whether the apply to the next step runs or completed, also before the campaign has seen it."""
    if not campaign.advancing:
        return False
    run = apply_store.find_run(conn, campaign.world_id, campaign.advance_run)
    return run is None or run.ended_at is None or run.state is ApplyState.COMPLETED
