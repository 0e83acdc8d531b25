"""Acts on promotions, each in one transaction: asked for, decided, applied, moved on by time and by their applies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, NotReady, PermissionDenied
from qmtl.core.modes import EffectiveMode
from qmtl.core.roles import Role
from worldservice.activation.domain.activation import Entry, can_trade
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import ApplyRun, ApplyState, content_of
from worldservice.apply.starting import ApplyStarter
from worldservice.campaigns import store
from worldservice.campaigns.domain.phases import LIVE, Campaign, Phase, PhaseEvent, moved
from worldservice.campaigns.domain.promotions import (
    APPROVAL_LASTS,
    Promotion,
    PromotionEvent,
    PromotionState,
    decided,
    due_event,
    require_none_open,
    require_two_persons,
    step,
)
from worldservice.campaigns.facts import WorldCampaigns, WorldRows
from worldservice.campaigns.recording import record_campaign, record_promotion
from worldservice.campaigns.standing import (
    Campaigns,
    candidate_targets,
    candidate_weights,
    require_going,
    standing_targets,
)
from worldservice.policy.domain.campaign.terms import CampaignTerms, CanaryStep
from worldservice.policy.domain.governance import LivePromotion
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import get_policy, policy_of
from worldservice.worlds.acts import Act, audit_write, world_to_write
from worldservice.worlds.domain.binding import Approval, Binding, Stage
from worldservice.worlds.domain.block import refuse_blocked
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import approvals
from worldservice.worlds.store.bindings import find_binding, get_active_binding

PROMO = "promo-"


@dataclass(frozen=True, slots=True)
class Promotions:
    """What may be done with promotions; `starter` is the one way into an apply."""

    campaigns: Campaigns
    starter: ApplyStarter

    def request(self, conn: Connection, act: Act, strategy_id: str, run_id: str, reason: str) -> Promotion:
        """A new promotion, or the one that is known by its run."""
        world = world_to_write(conn, act, Role.OPERATOR)
        binding = get_active_binding(conn, world.world_id, strategy_id)
        known = store.find_promotion(conn, world.world_id, run_id)
        if known is not None:
            if known.strategy_id != strategy_id:
                raise Conflict("E_RUN_EXISTS", f"promotion {run_id} is of {known.strategy_id}", hint="choose another")
            audit_write(conn, act, f"promotion {run_id} again: {known.state.value}")
            return known
        require_going(store.find_campaign(conn, world.world_id, strategy_id))
        looked = self.campaigns.look(conn, world, act.now)
        told = self.campaigns.told_of(looked, [binding], act.now)[0]
        require_none_open(told.promotion, run_id)
        renews = looked.trades_live(strategy_id, act.now)
        blocks = self.campaigns.renewal_blocks(looked, binding, act.now) if renews else told.blocks
        asked = Promotion(
            world.world_id, strategy_id, run_id, act.actor, act.now, reason, told.ready.version,
            world.default_policy_version, blocks=blocks, renews=renews,
        )  # fmt: skip
        record_promotion(conn, act, asked, new=True)
        what = "renewal" if renews else "promotion"
        audit_write(conn, act, f"{what} {run_id} of {strategy_id} requested, {len(blocks)} blocks: {reason}")
        return asked

    def end(
        self, conn: Connection, act: Act, found: tuple[str, str], event: PromotionEvent, role: Role, reason: str
    ) -> Promotion:
        """Withdrawn or rejected; `found` is strategy and run. Again: as it is."""
        world = world_to_write(conn, act, role)
        known = store.get_promotion(conn, world.world_id, *found)
        if known.state.value == event.value:
            return known
        after = decided(known, event, act.actor, reason, act.now, None)
        record_promotion(conn, act, after)
        audit_write(conn, act, f"promotion {known.run_id} of {known.strategy_id} {after.state.value}: {reason}")
        return after

    def approve(
        self, conn: Connection, act: Act, found: tuple[str, str], reason: str, expires_at: datetime | None
    ) -> Promotion:
        """Approved, or renewed, with the strategy's approval to go live. Again: as it is."""
        world = world_to_write(conn, act, Role.OWNER)
        known = store.get_promotion(conn, world.world_id, *found)
        if known.state in (PromotionState.APPROVED, PromotionState.RENEWED):
            return known
        policy = self.campaigns.policy(conn, world)
        if policy.live_promotion is LivePromotion.DISABLED:
            raise NotReady("E_LIVE_PROMOTION_DISABLED", "the policy says governance.live_promotion.mode: disabled")
        require_two_persons(known, act.actor, two_person=policy.governance.two_person)
        until = expires_at or act.now + APPROVAL_LASTS
        self._require_renewable(conn, act, world, known)
        after = _approved(conn, act, known, act.actor, reason, until)
        _require_current(known, due_of(WorldRows(conn, world), after, act.now))
        return after

    def apply(
        self, conn: Connection, act: Act, found: tuple[str, str], reason: str, *, force: bool
    ) -> tuple[Promotion, ApplyRun | None]:
        """APPLYING with the apply that was started; None: it was started before, or renewed what trades as it is."""
        world = world_to_write(conn, act, Role.OWNER if force else Role.OPERATOR)
        known = store.get_promotion(conn, world.world_id, *found)
        if known.apply_run_id or known.state is PromotionState.RENEWED:
            return known, None
        require_going(store.find_campaign(conn, world.world_id, known.strategy_id))
        policy, binding = self.campaigns.policy(conn, world), get_active_binding(conn, world.world_id, found[0])
        known = self._let_in(conn, act, world, policy, known, reason, force=force)
        if known.state is PromotionState.RENEWED:
            return known, None
        _require_current(known, due_of(WorldRows(conn, world), known, act.now))
        looked = self.campaigns.look(conn, world, act.now)
        _require_not_live(known, looked, act.now)
        mine = candidate_targets(looked, binding)
        targets = (*standing_targets(looked, binding.strategy_id), *mine)
        content = content_of(targets, False, True)
        asked = ApplyRun(
            world.world_id, f"{PROMO}{known.run_id}", ApplyState.REQUESTED, targets, True, act.actor, content, act.now
        )
        run = self.starter.start(conn, act, asked, "", evaluate=False)
        after = replace(step(known, PromotionEvent.STARTED, act.now), applied_by=act.actor, apply_run_id=run.run_id)
        campaign = store.find_campaign(conn, world.world_id, known.strategy_id)
        store.save_campaign(conn, replace(campaign, weights=_weights(looked, binding)))
        record_promotion(conn, act, after)
        risk = self.campaigns.risk_change(conn, world, mine).sentence()
        audit_write(conn, act, f"promotion {known.run_id} of {known.strategy_id} APPLYING by {run.run_id}; {risk}")
        return after, run

    def _let_in(
        self, conn: Connection, act: Act, world: World, policy: Policy, known: Promotion, reason: str, *, force: bool
    ) -> Promotion:
        """Approved by force, or by the policy that acts by itself; else as it is."""
        if known.state is not PromotionState.REQUESTED:
            return known
        acts = force or policy.live_promotion is LivePromotion.AUTO_APPLY
        if acts:
            self._require_renewable(conn, act, world, known)
        if force:
            if policy.governance.two_person:
                raise PermissionDenied("E_TWO_PERSON", "force is one act of one person, and the policy wants two")
            return _approved(conn, act, known, act.actor, f"forced: {reason}", act.now + APPROVAL_LASTS)
        if policy.live_promotion is not LivePromotion.AUTO_APPLY:
            return known
        record = get_policy(conn, world.world_id, world.default_policy_version)
        require_two_persons(known, record.created_by, two_person=policy.governance.two_person)
        by, until = f"policy v{record.version}, {record.created_by}", act.now + APPROVAL_LASTS
        return _approved(conn, act, known, by, "auto_apply", until, record.version)

    def _require_renewable(self, conn: Connection, act: Act, world: World, known: Promotion) -> None:
        """Raises NotReady (E_PROMOTION_STATE, E_PROMOTION_BLOCKED with every block) of a renewal; others come later."""
        if known.renews and known.open:
            looked = self.campaigns.look(conn, world, act.now)
            _require_current(known, due_of(looked, known, act.now))
            binding = get_active_binding(conn, world.world_id, known.strategy_id)
            refuse_blocked(self.campaigns.renewal_blocks(looked, binding, act.now))

    def settle(self, conn: Connection, act: Act, run_id: str) -> None:
        """Move one open promotion on by time, versions and its apply; the world is locked by the caller."""
        known = store.find_promotion(conn, act.world_id, run_id)
        if known is None or not known.open:
            return
        if known.state is PromotionState.APPLYING:
            self._follow(conn, act, known)
            return
        found = due_of(WorldRows(conn, world_to_write(conn, act, Role.OPERATOR)), known, act.now)
        if found is not None:
            _save(conn, act, step(known, found[0], act.now, found[1]))
            _end_approval(conn, act, known)

    def _follow(self, conn: Connection, act: Act, known: Promotion) -> None:
        run = apply_store.find_run(conn, known.world_id, known.apply_run_id)
        if run is None or run.ended_at is None:
            return
        if run.state is not ApplyState.COMPLETED:
            reason = run.reason or run.state.value
            _save(conn, act, step(known, PromotionEvent.FAILED, act.now, f"{run.state.value}: {reason}"))
            return
        _save(conn, act, step(known, PromotionEvent.COMPLETED, act.now))
        campaign = store.find_campaign(conn, known.world_id, known.strategy_id)
        world = world_to_write(conn, act, Role.OPERATOR)
        policy = policy_of(conn, world)  # may have lost its section campaign while the apply ran
        steps = CampaignTerms().live.canary if policy is None else _terms(policy).live.canary
        event = PhaseEvent.PROMOTED if steps else PhaseEvent.PROMOTED_WHOLE
        raised = campaign if campaign.phase is Phase.PAPER else replace(campaign, phase=Phase.PAPER)
        record_campaign(conn, act, moved(raised, event, act.now))


def due_of(rows: WorldRows, known: Promotion, now: datetime) -> tuple[PromotionEvent, str] | None:
    """What time, a change of version or policy, or an unbinding does to an open promotion; None: nothing."""
    approval = rows.approvals.get(known.strategy_id)
    if known.strategy_id not in rows.bound:
        gone = known.state is PromotionState.APPROVED
        event = PromotionEvent.INVALIDATED if gone else PromotionEvent.LAPSED
        return event, "the strategy is not bound any more"
    if known.renews and known.open and not rows.trades_live(known.strategy_id, now):
        return PromotionEvent.LAPSED, "it trades live no longer by an approval that holds"
    policy = rows.world.default_policy_version
    holds = approval is not None and approval.holds(now, policy)
    return due_event(known, now, rows.version(known.strategy_id), policy, approved=holds)


def is_due(rows: WorldRows, known: Promotion, now: datetime) -> bool:
    """Whether `settle` has something to do; a read."""
    if known.state is not PromotionState.APPLYING:
        return due_of(rows, known, now) is not None
    run = apply_store.find_run(rows.conn, known.world_id, known.apply_run_id)
    return run is not None and run.ended_at is not None


@dataclass(frozen=True, slots=True)
class Trading:
    """How a strategy stands in its world: the stage of its binding, its entries, the policy's canary steps.

    `revoked`: its approval to go live was taken back.
    """

    stage: Stage
    entries: tuple[Entry, ...]
    steps: tuple[CanaryStep, ...]
    revoked: bool = False

    def takes_risk(self, mode: EffectiveMode) -> bool:
        """Whether an entry may take new risk in a mode."""
        return any(e.effective_mode is mode and can_trade(e) and not e.drain for e in self.entries)

    def whole_weights(self) -> tuple[tuple[str, str], ...]:
        """Target weights of who was taken live without a promotion: what it has is the first step's share of them."""
        share = self.steps[0].share if self.steps else Decimal(1)
        live = (e for e in self.entries if e.effective_mode is EffectiveMode.LIVE)
        return tuple((e.side.value, str(min(Decimal(1), Decimal(repr(e.weight)) / share))) for e in live)


def settle_phase(conn: Connection, act: Act, campaign: Campaign, trading: Trading) -> Campaign:
    """A campaign that follows its binding: raised to paper, deselected, fallen from live, on paper or live again.

    Who trades live by an approval that was taken back has fallen from live: what is left there drains.
    """
    stage = trading.stage
    event = None
    if campaign.phase is Phase.BACKTEST and stage is not Stage.BACKTEST:
        event = PhaseEvent.RAISED_TO_PAPER
    elif campaign.phase is Phase.PAPER and stage is Stage.BACKTEST:
        event = PhaseEvent.DESELECTED
    elif campaign.phase is Phase.PAPER and stage is Stage.LIVE:
        promotion = store.newest_promotions(conn, campaign.world_id).get(campaign.strategy_id)
        if promotion is None or not promotion.open:
            event = PhaseEvent.PROMOTED if trading.steps else PhaseEvent.PROMOTED_WHOLE
            campaign = replace(campaign, weights=trading.whole_weights())
    elif campaign.phase in LIVE and (stage is not Stage.LIVE or trading.revoked):
        event = PhaseEvent.DEMOTED
    elif campaign.phase is Phase.DEMOTED and comes_back(trading):
        event = PhaseEvent.FLAT
    if event is None:
        return campaign
    after = moved(campaign, event, act.now)
    record_campaign(conn, act, after)
    audit_write(conn, act, f"campaign of {campaign.strategy_id}: {campaign.phase.value} to {after.phase.value}")
    if event is PhaseEvent.DEMOTED:
        _revoke(conn, act, campaign.strategy_id, "the strategy fell from live")
    return after


def comes_back(trading: Trading) -> bool:
    """Whether a demoted strategy trades again: on paper, or live by an apply that nothing barred."""
    on_paper = trading.stage is Stage.PAPER and trading.takes_risk(EffectiveMode.PAPER)
    return on_paper or (trading.stage is Stage.LIVE and trading.takes_risk(EffectiveMode.LIVE))


def _approved(
    conn: Connection, act: Act, known: Promotion, by: str, reason: str, until: datetime, policy_version: int = 0
) -> Promotion:
    event = PromotionEvent.RENEWED if known.renews else PromotionEvent.APPROVED
    after = decided(known, event, by, reason, act.now, until)
    record_promotion(conn, act, after)
    approval = Approval(known.world_id, known.strategy_id, by, reason, act.now, until, policy_version=policy_version)
    approvals.save_approval(conn, approval)
    audit_write(conn, act, f"promotion {known.run_id} of {known.strategy_id} {after.state.value} by {by}: {reason}")
    return after


def _save(conn: Connection, act: Act, after: Promotion) -> None:
    record_promotion(conn, act, after)
    audit_write(conn, act, f"promotion {after.run_id} of {after.strategy_id} {after.state.value}: {after.message}")


def _require_current(known: Promotion, due: tuple[PromotionEvent, str] | None) -> None:
    """Raises NotReady (E_PROMOTION_STATE): what was approved is another version or policy, or its time is over."""
    if due is not None:
        raise NotReady(
            "E_PROMOTION_STATE",
            f"promotion {known.run_id} of {known.strategy_id} is {known.state.value} no longer: {due[1]}",
            hint="ask for a new promotion",
        )


def _require_not_live(known: Promotion, rows: WorldRows, now: datetime) -> None:
    """Raises NotReady (E_PROMOTION_STATE): who trades live would fall back to its first step."""
    if not (known.renews or rows.trades_live(known.strategy_id, now)):
        return
    said = "renews an approval, which an owner approves" if known.renews else "was asked for before it traded live"
    raise NotReady(
        "E_PROMOTION_STATE",
        f"promotion {known.run_id} of {known.strategy_id} {said}, and is {known.state.value}",
        hint="ApprovePromotion renews; a canary's next step is AdvanceCanary",
    )


def _end_approval(conn: Connection, act: Act, known: Promotion) -> None:
    """What an approved promotion gave ends with it, unless the strategy trades live by it or somebody approved anew."""
    approval = approvals.find_approval(conn, known.world_id, known.strategy_id)
    binding = find_binding(conn, known.world_id, known.strategy_id)
    if approval is None or approval.revoked_at is not None or (binding is not None and binding.stage is Stage.LIVE):
        return
    if (approval.approved_by, approval.approved_at) == (known.decided_by, known.decided_at):
        _revoke(conn, act, known.strategy_id, f"promotion {known.run_id} is over")


def _revoke(conn: Connection, act: Act, strategy_id: str, why: str) -> None:
    """Ends an approval that was not taken back yet."""
    approval = approvals.find_approval(conn, act.world_id, strategy_id)
    if approval is not None and approval.revoked_at is None:
        approvals.save_approval(conn, replace(approval, revoked_at=act.now))
        audit_write(conn, act, f"approval of {strategy_id} ends: {why}")


def _weights(looked: WorldCampaigns, binding: Binding) -> tuple[tuple[str, str], ...]:
    """Target weights by side: those on paper now."""
    return tuple((side.value, repr(weight)) for side, weight in candidate_weights(looked, binding).items())


def _terms(policy: Policy) -> CampaignTerms:
    return policy.campaign or CampaignTerms()
