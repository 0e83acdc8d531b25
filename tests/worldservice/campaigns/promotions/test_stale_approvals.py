"""Promotions that the keeper has not looked at yet: what changed since the approval bars them all the same."""

from __future__ import annotations

from datetime import timedelta

from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_service import (
    EASY,
    NAMED,
    apply,
    campaign,
    governed,
    reasons,
    refusal,
    request,
    shown_on_paper,
)
from tests.worldservice.harness import WorldHarness, eventually
from tests.worldservice.samples import DOCUMENT


async def approve(ann: WorldStubs) -> None:
    await ann.campaigns.ApprovePromotion(campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="fine"))


async def put_policy(ann: WorldStubs, extra: str) -> None:
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT + extra, make_default=True)
    )


async def test_an_approval_of_another_policy_takes_nobody_live_before_the_keeper_voids_it(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness)
    await shown_on_paper(harness, ann)
    await request(ann)
    await approve(ann)
    await put_policy(ann, EASY.replace("window: 60d", "window: 59d"))
    assert reasons(await campaign(ann)) == ["APPROVAL_MISSING"], "an apply without the promotion asks, too"
    said = await refusal(apply(ann))
    assert said.reason == "E_PROMOTION_STATE"
    assert "the default policy is v3, not v2" in said.message

    harness.clock.advance(timedelta(seconds=2).total_seconds())
    await eventually(lambda: _void(ann))
    assert reasons(await campaign(ann)) == ["APPROVAL_MISSING"]  # what was approved is over: nothing rests on it


async def test_what_was_asked_for_under_another_policy_cannot_be_approved(harness: WorldHarness) -> None:
    ann = await governed(harness)
    await shown_on_paper(harness, ann)
    await request(ann)
    await put_policy(ann, EASY.replace("window: 60d", "window: 59d"))
    said = await refusal(approve(ann))
    assert (said.reason, "the default policy is v3, not v2" in said.message) == ("E_PROMOTION_STATE", True)
    told = await campaign(ann)
    assert (told.promotion.state, reasons(told)) == (campaignpb.PROMOTION_STATE_REQUESTED, ["APPROVAL_MISSING"])


async def _void(stub: WorldStubs) -> bool:
    return (await campaign(stub)).promotion.state == campaignpb.PROMOTION_STATE_VOID


async def test_a_policy_of_two_persons_that_acts_by_itself_is_no_second_person_for_its_own_author(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness, EASY + "governance: {live_promotion: {mode: auto_apply, two_person: true}}\n")
    await shown_on_paper(harness, ann)
    await request(ann)
    bob = await harness.stub(Role.OPERATOR, "bob")
    said = await refusal(apply(bob))
    assert (said.reason, isinstance(said, PermissionDenied)) == ("E_TWO_PERSON", True)
    alone = bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="s", message="by myself")
    assert (await refusal(ann.bindings.ApproveLive(alone))).reason == "E_TWO_PERSON"
    assert reasons(await campaign(ann)) == ["APPROVAL_MISSING"]


async def test_a_policy_that_loses_its_campaign_while_an_apply_runs_holds_up_no_promotion(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness)
    await shown_on_paper(harness, ann)
    await request(ann)
    await approve(ann)
    harness.brokerage.answering.clear()
    await apply(ann)
    await put_policy(ann, "")
    harness.brokerage.answering.set()
    run = applyservicepb.GetApplyRunRequest(world_id="w1", run_id="promo-p1")

    async def ended() -> bool:
        return (await ann.applies.GetApplyRun(run)).run.HasField("ended_at")

    await eventually(ended)
    harness.clock.advance(timedelta(seconds=2).total_seconds())

    async def closed() -> bool:
        rows = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
        return any("promotion p1 of s APPLIED" in row.message for row in rows)

    await eventually(closed)


async def test_a_promotion_out_of_a_frozen_world_keeps_what_traded_before_the_freeze(harness: WorldHarness) -> None:
    ann = await governed(harness, EASY, "t")
    await shown_on_paper(harness, ann)
    await request(ann)
    await approve(ann)
    harness.brokerage.answering.clear()
    await apply(ann)
    await ann.bindings.RevokeLive(bindingservicepb.RevokeLiveRequest(world_id="w1", strategy_id="s"))
    harness.brokerage.answering.set()

    async def failed() -> bool:
        return (await campaign(ann)).promotion.state == campaignpb.PROMOTION_STATE_FAILED

    await eventually(failed)
    assert "ROLLED_BACK" in (await campaign(ann)).promotion.message
    await request(ann, "p2")
    again = campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p2", reason="now")
    await ann.campaigns.ApprovePromotion(again)
    plan = (await ann.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**NAMED))).plan
    assert {(one.strategy_id, one.weight) for one in plan.targets} == {("t", "1"), ("s", "0.1")}
    await apply(ann, "p2")
    run = applyservicepb.GetApplyRunRequest(world_id="w1", run_id="promo-p2")
    assert list((await ann.applies.GetApplyRun(run)).run.targets) == list(plan.targets)
