"""One strategy's campaign as it is told: phase, windows, blocks of every subject, promotion, next action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode
from qmtl.wire.instants import span_to_proto
from qmtl.world.v1 import campaign_pb2 as campaignpb
from worldservice.activation.domain.activation import can_trade
from worldservice.apply.domain.run import SHUT
from worldservice.apply.domain.targets import Target
from worldservice.campaigns import store
from worldservice.campaigns.domain.actions import Action, Renewal, Standing, action_of
from worldservice.campaigns.domain.blocks import BlockReason
from worldservice.campaigns.domain.canary import StepEvidence, step_obstacles, weight_at
from worldservice.campaigns.domain.demotion import recommended
from worldservice.campaigns.domain.divergence.verdict import Verdict
from worldservice.campaigns.domain.phases import LIVE, Campaign, Phase
from worldservice.campaigns.domain.promotions import Promotion
from worldservice.campaigns.domain.readiness import Readiness, blocks_of, renewal_blocks
from worldservice.campaigns.facts import WorldCampaigns, WorldRows
from worldservice.campaigns.live.evidence import LiveEvidence
from worldservice.campaigns.live.risk_change import CandidateRisks, RiskChange
from worldservice.campaigns.live.shares import SHARE_UNKNOWN, missing_share
from worldservice.campaigns.wire import (
    action_to_proto,
    blocks_to_proto,
    campaign_to_proto,
    promotion_to_proto,
    window_to_proto,
)
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.facts import decide_world
from worldservice.policy.domain.campaign.terms import CampaignTerms, no_campaign
from worldservice.policy.domain.governance import LivePromotion
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import policy_of
from worldservice.worlds.domain.binding import Binding, Side, Stage
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World
from worldservice.worlds.live_blocks import LiveBlocks
from worldservice.worlds.wire import approval_to_proto

RENEW_BEFORE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one strategy's campaign now."""

    campaign: Campaign
    ready: Readiness
    blocks: tuple[Block, ...]
    promotion: Promotion | None
    action: Action | None
    live_days: int = 0  # at its canary step
    notes: tuple[str, ...] = ()
    renewal: Renewal | None = None
    left: timedelta | None = None  # of an approval that ends soon

    def to_proto(self) -> campaignpb.Campaign:
        """As the contract tells it."""
        stages = ((Stage.BACKTEST, self.ready.backtest), (Stage.PAPER, self.ready.paper))
        told = campaign_to_proto(self.campaign)
        told.MergeFrom(
            campaignpb.Campaign(
                strategy_version=self.ready.version,
                windows=[window_to_proto(stage, shown) for stage, shown in stages if shown is not None],
                blocks=blocks_to_proto(self.blocks),
                next_action=None if self.action is None else action_to_proto(self.action),
                promotion=None if self.promotion is None else promotion_to_proto(self.promotion),
                live_days=self.live_days,
                notes=self.notes,
                approval=None if self.ready.approval is None else approval_to_proto(self.ready.approval),
                approval_left=None if self.left is None else span_to_proto(self.left),
                renewal_blocks=() if self.renewal is None else blocks_to_proto(self.renewal.blocks),
            )
        )
        return told


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Looks at campaigns of a world under its policy of now; `blocks` are those of other subjects."""

    settings: DecisionSettings
    blocks: tuple[LiveBlocks, ...] = ()
    evidence: LiveEvidence = field(default_factory=LiveEvidence)
    risks: CandidateRisks = field(default_factory=CandidateRisks)

    def risk_change(self, conn: Connection, world: World, targets: Sequence[Target]) -> RiskChange:
        """What the sides of one strategy do to the world's live book."""
        weights = [Decimal(repr(target.weight)) for target in targets]
        return self.risks.of(conn, world, targets[0].strategy_id if targets else "", weights)

    def policy(self, conn: Connection, world: World) -> Policy:
        """The policy with its section campaign. Raises NotReady (E_NO_CAMPAIGN)."""
        policy = policy_of(conn, world)
        if policy is None or policy.campaign is None:
            raise no_campaign(world.world_id)
        return policy

    def told(self, conn: Connection, world: World, bound: Sequence[Binding], now: datetime) -> list[Told]:
        """Of each binding that is given."""
        return self.told_of(self.look(conn, world, now), bound, now)

    def look(self, conn: Connection, world: World, now: datetime) -> WorldCampaigns:
        """The world under its policy and decision of now. Raises NotReady (E_NO_CAMPAIGN)."""
        terms = self.policy(conn, world).campaign or CampaignTerms()
        return WorldCampaigns(conn, world, self.settings, terms, decide_world(conn, world, self.settings, now))

    def told_of(self, looked: WorldCampaigns, bound: Sequence[Binding], now: datetime) -> list[Told]:
        """Of each binding that is given."""
        conn, world = looked.conn, looked.world
        newest = store.newest_promotions(conn, world.world_id)
        auto = self.policy(conn, world).live_promotion is LivePromotion.AUTO_APPLY
        return [self._one(looked, binding, newest.get(binding.strategy_id), now, auto=auto) for binding in bound]

    def _one(
        self, looked: WorldCampaigns, binding: Binding, promotion: Promotion | None, now: datetime, *, auto: bool
    ) -> Told:
        conn, world, name = looked.conn, looked.world, binding.strategy_id
        ready, campaign = looked.readiness(binding, now), looked.campaign(name)
        live, blocks = binding.stage is Stage.LIVE, list[Block]()
        step = self._step(looked, campaign, ready) if campaign.phase is Phase.LIVE_CANARY else None
        if step is not None:
            found = step_obstacles(looked.terms.live.canary, campaign.step, step)
            blocks += [Block(reason.value, name, sentence) for reason, sentence in found]
        if not live:
            blocks += blocks_of(ready, now)
            blocks += missing_share(looked.shares, world.world_id, name)
            entering = [EnteringLive(name, _largest(candidate_targets(looked, binding)))]
            for others in self.blocks:
                blocks += others(conn, world, entering, now, switching=False)
        if (not live or step is not None) and (running := looked.running()):
            blocks.append(Block(BlockReason.APPLY_RUNNING.value, name, f"waits for apply {running} of its world"))
        renewal, left = self._renewal(looked, binding, promotion, now)
        standing = Standing(
            world_id=world.world_id,
            strategy_id=name,
            version=ready.version,
            stage=binding.stage,
            blocks=tuple(blocks),
            promotion=promotion,
            paused=campaign.paused,
            auto_apply=auto,
            data_end=looked.data_end(binding),
            live=live,
            canary=None if step is None or campaign.advancing else campaign.step,
            demotion=self._demotion(looked, campaign),
            paper_auto=looked.terms.paper.auto,
            renewal=renewal,
        )
        days, notes = 0 if step is None else step.live_days, share_notes(looked)
        return Told(campaign, ready, tuple(blocks), promotion, action_of(standing), days, notes, renewal, left)

    def renewal_blocks(self, looked: WorldCampaigns, binding: Binding, now: datetime) -> tuple[Block, ...]:
        """What bars the renewal of the approval of who trades live; the book is judged as it stands."""
        conn, world, name = looked.conn, looked.world, binding.strategy_id
        shown = self.evidence.of_step(conn, looked.campaign(name), trading=True)
        blocks = [*renewal_blocks(looked.readiness(binding, now), shown.breaches)]
        blocks += missing_share(looked.shares, world.world_id, name)
        for others in self.blocks:
            blocks += others(conn, world, [EnteringLive(name, Decimal(0))], now, switching=False)
        return tuple(blocks)

    def _renewal(
        self, looked: WorldCampaigns, binding: Binding, promotion: Promotion | None, now: datetime
    ) -> tuple[Renewal | None, timedelta | None]:
        """What bars a renewal that is due or was asked for, and what is left of an approval that ends soon."""
        approval = looked.approvals.get(binding.strategy_id)
        if approval is None or approval.expires_at is None or not looked.trades_live(binding.strategy_id, now):
            return None, None
        left = approval.expires_at - now
        soon, asked = left <= RENEW_BEFORE, promotion is not None and promotion.open and promotion.renews
        if not (soon or asked):
            return None, None
        renewal = Renewal(approval.expires_at, self.renewal_blocks(looked, binding, now))
        return renewal, left if soon else None

    def _step(self, looked: WorldCampaigns, campaign: Campaign, ready: Readiness) -> StepEvidence:
        """What the canary showed at its step; a divergence report of another version says nothing. One on live trading
        counts where it fails: at a step's share it cannot be compared, and is UNKNOWN.
        """
        trading = any(
            e.effective_mode is EffectiveMode.LIVE and can_trade(e) and not e.drain
            for e in looked.entries_of(campaign.strategy_id)
        )
        shown = self.evidence.of_step(looked.conn, campaign, trading=trading)
        mine = (one for one in (ready.report, ready.live_report) if one is not None and one.version == ready.version)
        told = [(Verdict[one.verdict], one is ready.live_report) for one in mine]
        fails = any(verdict is Verdict.FAIL for verdict, _ in told)
        verdict = Verdict.FAIL if fails else next((verdict for verdict, live in told if not live), None)
        return replace(shown, verdict=verdict, verdict_asked=ready.terms.divergence_written)

    def _demotion(self, looked: WorldCampaigns, campaign: Campaign) -> str:
        """The rule that asks a person to demote it, with its numbers."""
        if campaign.phase not in LIVE or all(rule.auto for rule in looked.terms.demote):
            return ""
        found = recommended(campaign, looked.terms.demote, self.evidence.of_rules(looked.conn, campaign, looked.terms))
        return "" if found is None else found.sentence()


def share_notes(looked: WorldRows) -> tuple[str, ...]:
    """What is not known of shares of capital."""
    return () if looked.shares else (SHARE_UNKNOWN,)


def candidate_targets(looked: WorldCampaigns, binding: Binding) -> tuple[Target, ...]:
    """The candidate's sides live at the weight of the first canary step, of those that trade on paper now."""
    steps = looked.terms.live.canary
    return tuple(
        Target(binding.strategy_id, side, float(weight_at(steps, 0, Decimal(repr(weight)))), Stage.LIVE)
        for side, weight in candidate_weights(looked, binding).items()
    )


def candidate_weights(looked: WorldCampaigns, binding: Binding) -> Mapping[Side, float]:
    """The candidate's weights on paper now, by side; whole where it does not trade."""
    mine = [e for e in looked.entries_of(binding.strategy_id) if e.active and not e.drain]
    sides = {entry.side: entry.weight for entry in mine} or dict.fromkeys(binding.sides, 1.0)
    return dict(sorted(sides.items(), key=lambda row: row[0].value))


def require_going(campaign: Campaign) -> None:
    """Raises NotReady (E_CAMPAIGN_PAUSED)."""
    if campaign.paused:
        said = f"the campaign of {campaign.strategy_id} was paused by {campaign.paused_by}: {campaign.paused_reason}"
        raise NotReady("E_CAMPAIGN_PAUSED", said, hint="ResumeCampaign first")


def standing_targets(looked: WorldCampaigns, but: str) -> tuple[Target, ...]:
    """What trades now, or did before the freeze that an apply left, as targets that keep it, without `but`."""
    stages = {EffectiveMode.LIVE: Stage.LIVE, EffectiveMode.PAPER: Stage.PAPER}
    last, entries = looked.last_apply, looked.entries
    if last is not None and last.state in SHUT:
        entries = last.before
    return tuple(
        Target(entry.strategy_id, entry.side, entry.weight, stages[entry.effective_mode])
        for entry in entries
        if entry.strategy_id != but
        and entry.active
        and not (entry.drain or entry.freeze)
        and entry.effective_mode in stages
    )


def _largest(targets: Sequence[Target]) -> Decimal:
    return max((Decimal(repr(target.weight)) for target in targets), default=Decimal(0))
