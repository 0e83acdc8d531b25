"""Campaigns over the wire: what is told, the walk of a promotion, who may what, and applies that are blocked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qmtl.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied, QmtlError
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import WorldHarness, evaluation, eventually, make_trading, stamp
from tests.worldservice.samples import DOCUMENT, trials, trials_chunks

EASY = """\
position_policy: {on_demote: drain}
campaign:
  backtest: {window: 60d, min_trades: 1, deflated_sharpe: 0.5}
  paper: {window: 30d, min_trades: 1}
  live: {canary: [{share: 0.1, days: 5}]}
"""
NAMED: dict[str, Any] = {"world_id": "w1", "strategy_id": "s"}


async def governed(harness: WorldHarness, extra: str = EASY, *others: str, lag: str = "5m") -> WorldStubs:
    """World w1 under a policy with a campaign; s and others trade on paper and were replayed, live is allowed."""
    ann = await make_trading(harness, "w1", "s", *others, by_replay=True)
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(world_id="w1", allow_live=True, update_mask={"paths": ["allow_live"]})
    )
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT.replace("5m", lag) + extra, make_default=True)
    )
    return ann


async def shown_on_paper(harness: WorldHarness, ann: WorldStubs) -> None:
    """A paper run whose numbers come from brokerage's books."""
    gateway = await harness.gateway()
    opened = await gateway.sessions.OpenSession(
        sessionservicepb.OpenSessionRequest(
            world_id="w1", execution_domain="EXECUTION_DOMAIN_DRYRUN", data_preset="live",
            start=stamp(harness.clock.now() - timedelta(days=90)), dataset_fingerprint="sha256:data",
        )
    )  # fmt: skip
    request = evaluationservicepb.EvaluateRequest(**NAMED, run_id="paper-1", stage="STAGE_PAPER")
    request.paper_books.account, request.paper_books.session_id = "p", opened.session.session_id
    await ann.evaluation.Evaluate(request)


async def campaign(stub: WorldStubs) -> campaignpb.Campaign:
    return (await stub.campaigns.GetCampaign(campaignservicepb.GetCampaignRequest(**NAMED))).campaign


def reasons(told: campaignpb.Campaign | campaignpb.PromotionPlan) -> list[str]:
    return [block.reason for block in told.blocks]


async def request(stub: WorldStubs, run_id: str = "p1") -> campaignpb.Promotion:
    asked = campaignservicepb.RequestPromotionRequest(**NAMED, run_id=run_id, reason="ready")
    return (await stub.campaigns.RequestPromotion(asked)).promotion


async def apply(stub: WorldStubs, run_id: str = "p1", **fields: Any) -> campaignpb.Promotion:
    asked = campaignservicepb.ApplyPromotionRequest(**NAMED, run_id=run_id, **fields)
    return (await stub.campaigns.ApplyPromotion(asked)).promotion


async def refusal(call: object) -> QmtlError:
    with pytest.raises(QmtlError) as caught:
        await call  # type: ignore[misc]  # an RPC
    return caught.value


async def test_a_strategy_goes_live_by_a_promotion_at_its_canary_weight_only(harness: WorldHarness) -> None:
    ann = await governed(harness)
    bob = await harness.stub(Role.OPERATOR, "bob")
    before = await campaign(bob)
    assert reasons(before) == ["MISSING_PAPER_RUN", "APPROVAL_MISSING"]
    assert before.next_action.kind == campaignpb.CAMPAIGN_ACTION_KIND_EVALUATE
    for stage in ("STAGE_PAPER", "STAGE_LIVE"):  # a runner that says a false Sharpe of itself gains nothing
        lie = evaluation(harness, "w1", "s", f"lie-{stage}", sharpe=9.0, n_trades=1_000)
        lie.stage = stage  # type: ignore[assignment]  # by name
        await bob.evaluation.Evaluate(lie)
    lied = await campaign(bob)
    assert (reasons(lied), list(lied.windows)) == (reasons(before), list(before.windows))
    await shown_on_paper(harness, ann)
    told = await campaign(bob)
    assert reasons(told) == ["APPROVAL_MISSING"]
    assert [window.progress_ratio for window in told.windows] == [1.0, 1.0]
    ticks = [await bob.campaigns.Tick(campaignservicepb.TickRequest(world_id="w1")) for _ in range(2)]
    assert ticks[0] == ticks[1]
    assert [action.kind for action in ticks[0].actions] == [campaignpb.CAMPAIGN_ACTION_KIND_REQUEST_PROMOTION]

    direct = applyservicepb.ApplyRequest(world_id="w1", run_id="direct")
    direct.targets.targets.append(
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight="1", stage="STAGE_LIVE")
    )
    blocked = await refusal(bob.applies.Apply(direct))
    assert (blocked.reason, blocked.metadata) == ("E_PROMOTION_BLOCKED", {"blocks": "APPROVAL_MISSING,CANARY_SHARE"})

    promotion = await request(bob)
    assert promotion == await request(bob)
    assert promotion.state == campaignpb.PROMOTION_STATE_REQUESTED
    assert reasons_of(promotion) == ["APPROVAL_MISSING"]
    assert (await refusal(request(bob, "p2"))).reason == "E_PROMOTION_OPEN"
    assert (await refusal(apply(bob))).reason == "E_PROMOTION_BLOCKED"
    approve = campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="fine")
    assert isinstance(await refusal(bob.campaigns.ApprovePromotion(approve)), PermissionDenied)
    approved = (await ann.campaigns.ApprovePromotion(approve)).promotion
    assert (approved.state, approved.decided_by) == (campaignpb.PROMOTION_STATE_APPROVED, "ann")

    plan = (await bob.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**NAMED))).plan
    assert (reasons(plan), plan.canary_share) == ([], "0.1")
    assert [(target.strategy_id, target.weight) for target in plan.targets] == [("s", "0.1")]
    await harness.stop_brokerage()  # it is away: refused by name, and nobody is stopped
    assert (await refusal(apply(bob))).reason == "E_UNAVAILABLE"
    await harness.start_brokerage()
    assert (await campaign(bob)).promotion.state == campaignpb.PROMOTION_STATE_APPROVED
    found = await bob.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    assert [(one.active, one.freeze, one.drain) for one in found.activation.entries] == [(True, False, False)]
    await eventually(lambda: _reached(bob))
    started = await apply(bob)
    assert (started.state, started.apply_run_id) == (campaignpb.PROMOTION_STATE_APPLYING, "promo-p1")
    assert (await apply(bob)).apply_run_id == "promo-p1"
    await eventually(lambda: _is(bob, "APPLIED"))
    after = await campaign(bob)
    assert (after.phase, after.canary_step) == (campaignpb.CAMPAIGN_PHASE_LIVE_CANARY, 0)
    run = await bob.applies.GetApplyRun(applyservicepb.GetApplyRunRequest(world_id="w1", run_id="promo-p1"))
    assert [(t.weight, t.stage) for t in run.run.targets] == [("0.1", plan.targets[0].stage)]


def reasons_of(promotion: campaignpb.Promotion) -> list[str]:
    return [block.reason for block in promotion.blocks]


async def _reached(stub: WorldStubs) -> bool:
    """Whether worldservice has found brokerage again: what names no promotion is refused after that was asked."""
    said = await refusal(apply(stub, "none"))
    return said.reason != "E_UNAVAILABLE"


async def _is(stub: WorldStubs, state: str) -> bool:
    return (await campaign(stub)).promotion.state == campaignpb.PromotionState.Value(f"PROMOTION_STATE_{state}")


async def test_an_approval_ends_with_its_policy_and_a_request_with_its_time(harness: WorldHarness) -> None:
    ann = await governed(harness)
    await request(ann)
    await ann.campaigns.ApprovePromotion(campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="fine"))
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(
            world_id="w1", document=DOCUMENT + EASY.replace("window: 60d", "window: 61d"), make_default=True
        )
    )
    harness.clock.advance(timedelta(seconds=2).total_seconds())
    await eventually(lambda: _is(ann, "VOID"))
    assert "policy is v" in (await campaign(ann)).promotion.message
    assert (await refusal(apply(ann))).reason in {"E_PROMOTION_STATE", "E_PROMOTION_BLOCKED"}
    await request(ann, "p2")
    ended = campaignservicepb.WithdrawPromotionRequest(**NAMED, run_id="p2", reason="later")
    assert (await ann.campaigns.WithdrawPromotion(ended)).promotion.state == campaignpb.PROMOTION_STATE_WITHDRAWN
    said_no = campaignservicepb.RejectPromotionRequest(**NAMED, run_id="p2", reason="no")
    assert (await refusal(ann.campaigns.RejectPromotion(said_no))).reason == "E_PROMOTION_STATE"


async def test_two_persons_pauses_and_force(harness: WorldHarness) -> None:
    two = "governance: {live_promotion: {mode: manual_approval, two_person: true}}\n"
    ann = await governed(harness, EASY + two)
    await request(ann)
    approve = campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="fine")
    assert (await refusal(ann.campaigns.ApprovePromotion(approve))).reason == "E_TWO_PERSON"
    assert (await refusal(apply(ann, force=True, reason="now"))).reason == "E_TWO_PERSON"
    pause = campaignservicepb.PauseCampaignRequest(**NAMED, reason="a holiday")
    assert (await ann.campaigns.PauseCampaign(pause)).campaign.paused_by == "ann"
    assert (await refusal(apply(ann))).reason == "E_CAMPAIGN_PAUSED"
    resume = campaignservicepb.ResumeCampaignRequest(**NAMED, reason="back")
    assert (await ann.campaigns.ResumeCampaign(resume)).campaign.paused_by == ""
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT + EASY, make_default=True)
    )
    assert (await refusal(apply(ann, force=True, reason="now"))).reason == "E_PROMOTION_STATE"  # of another policy
    await ann.campaigns.WithdrawPromotion(
        campaignservicepb.WithdrawPromotionRequest(**NAMED, run_id="p1", reason="of another policy")
    )
    await request(ann, "p2")
    forced = await refusal(apply(ann, "p2", force=True, reason="now"))
    assert (forced.reason, forced.metadata) == ("E_PROMOTION_BLOCKED", {"blocks": "MISSING_PAPER_RUN"})
    assert reasons(await campaign(ann)) == ["MISSING_PAPER_RUN", "APPROVAL_MISSING"]  # nothing of it was kept


async def test_trials_and_waivers_change_what_bars(harness: WorldHarness) -> None:
    ann = await governed(harness, EASY.replace("deflated_sharpe: 0.5", "deflated_sharpe: 0.5, max_pbo: 0.2"))
    assert "PBO_UNKNOWN" in reasons(await campaign(ann))
    put = await ann.campaigns.PutTrials(trials_chunks(trials("w1", "s")))
    assert put == await ann.campaigns.PutTrials(trials_chunks(trials("w1", "s")))
    assert put.summary.overfitting_probability > 0.2
    assert "OVERFIT" in reasons(await campaign(ann))
    waive = campaignservicepb.OverrideEvaluationRequest(
        **NAMED, run_id="run-1", run_revision=1, rule="OVERFIT", reason="known",
        expires_at=stamp(harness.clock.now() + timedelta(days=1)),
    )  # fmt: skip
    await ann.campaigns.OverrideEvaluation(waive)
    assert "OVERFIT" not in reasons(await campaign(ann))
    waive.rule = "MISSING_PAPER_RUN"
    assert (await refusal(ann.campaigns.OverrideEvaluation(waive))).reason == "E_OVERRIDE"


async def test_what_cannot_be_asked_is_refused_by_name(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    assert (await refusal(campaign(ann))).reason == "E_NO_CAMPAIGN"
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT + EASY, make_default=True)
    )
    other = campaignservicepb.GetCampaignRequest(world_id="w1", strategy_id="gone")
    assert isinstance(await refusal(ann.campaigns.GetCampaign(other)), NotFound)
    later = campaignservicepb.TickRequest(world_id="w1", now=stamp(harness.clock.now() + timedelta(days=1)))
    assert isinstance(await refusal(ann.campaigns.Tick(later)), InvalidRequest)
    assert isinstance(await refusal(apply(ann, "none")), NotFound)
    listed = await ann.campaigns.ListCampaigns(campaignservicepb.ListCampaignsRequest(world_id="w1"))
    assert [one.strategy_id for one in listed.campaigns] == ["s"]
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="t"))
    await request(ann)
    stolen = campaignservicepb.RequestPromotionRequest(world_id="w1", strategy_id="t", run_id="p1", reason="mine")
    assert isinstance(await refusal(ann.campaigns.RequestPromotion(stolen)), Conflict)


async def test_a_policy_that_acts_by_itself_is_the_approver_and_a_failed_apply_is_told(harness: WorldHarness) -> None:
    ann = await governed(harness, EASY + "governance: {live_promotion: {mode: auto_apply}}\n")
    bob = await harness.stub(Role.OPERATOR, "bob")
    await shown_on_paper(harness, ann)
    await request(bob)
    due = (await bob.campaigns.Tick(campaignservicepb.TickRequest(world_id="w1"))).actions
    assert [(one.kind, one.run_id) for one in due] == [(campaignpb.CAMPAIGN_ACTION_KIND_APPLY_PROMOTION, "p1")]
    harness.brokerage.answering.clear()  # the freeze is not answered
    started = await apply(bob)
    assert started.decided_by == "policy v2, ann"
    await bob.applies.FreezeWorld(applyservicepb.FreezeWorldRequest(world_id="w1", request_id="stop"))
    harness.brokerage.answering.set()
    await eventually(lambda: _is(bob, "FAILED"))
    after = await campaign(bob)
    assert "FROZEN" in after.promotion.message
    assert after.phase == campaignpb.CAMPAIGN_PHASE_PAPER
