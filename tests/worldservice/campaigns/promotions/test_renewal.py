"""Approvals of who trades live: told before they end, renewed without an apply, barred as a promotion is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from qmtl.cli.commands.campaign.loop_lease import LoopLease
from qmtl.cli.commands.campaign.scheduling import LoopStubs, keep_ticking
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_live import entry, weighing
from tests.worldservice.campaigns.test_readiness import READY, REPORT
from tests.worldservice.campaigns.test_service import (
    EASY,
    NAMED,
    _is,
    apply,
    campaign,
    governed,
    reasons,
    refusal,
    request,
    shown_on_paper,
)
from tests.worldservice.harness import WorldHarness, eventually
from tests.worldservice.samples import DOCUMENT, NOW
from worldservice.campaigns.domain.actions import ActionKind, Renewal, Standing, action_of
from worldservice.campaigns.domain.promotions import Promotion, PromotionEvent, PromotionState, due_event
from worldservice.campaigns.domain.readiness import renewal_blocks
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.block import Block

DAY = timedelta(days=1)
TWO = EASY + "governance: {live_promotion: {mode: manual_approval, two_person: true}}\n"
AUTO = EASY + "governance: {live_promotion: {mode: auto_apply}}\n"
LIVE = replace(READY, stage=Stage.LIVE)
FAILS = replace(REPORT, verdict="FAIL", reasons=("fill ratio is 0.5, want at least 0.9",))


def approval_of(run_id: str) -> campaignservicepb.ApprovePromotionRequest:
    return campaignservicepb.ApprovePromotionRequest(**NAMED, run_id=run_id, reason="goes on")


async def at(harness: WorldHarness, days: float) -> tuple[WorldStubs, WorldStubs]:
    """The owner and an operator some days later."""
    harness.clock.advance((days * DAY).total_seconds())
    return await harness.stub(), await harness.stub(Role.OPERATOR, "bob")


async def live_by_two(harness: WorldHarness, extra: str = TWO, days: float = 30) -> activationpb.ActivationEntry:
    """The entry of a strategy that bob asked for and ann approved, at its first canary step."""
    ann = await governed(harness, extra, lag="90d")
    bob = await harness.stub(Role.OPERATOR, "bob")
    await shown_on_paper(harness, ann)
    await request(bob)
    approval = approval_of("p1")
    approval.expires_at.FromDatetime(harness.clock.now() + days * DAY)
    await ann.campaigns.ApprovePromotion(approval)
    await apply(bob)
    await eventually(lambda: _is(ann, "APPLIED"))
    return await entry(ann)


async def test_an_approval_that_ends_is_told_and_renewed_by_two_without_an_apply(harness: WorldHarness) -> None:
    before = await live_by_two(harness)
    ann, bob = await at(harness, 22.5)
    told = await campaign(bob)
    assert (told.HasField("approval_left"), told.approval.approved_by) == (False, "ann")
    ann, bob = await at(harness, 2)
    told = await campaign(bob)
    assert (told.approval_left.ToTimedelta().days, reasons_of(told)) == (5, [])
    due = told.next_action
    assert (due.kind, due.automatic) == (campaignpb.CAMPAIGN_ACTION_KIND_REQUEST_PROMOTION, True)
    assert due.run_id == f"camp-w1-s-renew-{told.approval.expires_at.ToDatetime():%Y%m%d}"
    plan = (await bob.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**NAMED))).plan
    assert (plan.renews, reasons(plan), [(t.strategy_id, t.weight) for t in plan.targets]) == (True, [], [("s", "0.1")])

    assert (await request(ann, "own")).renews
    assert (await refusal(ann.campaigns.ApprovePromotion(approval_of("own")))).reason == "E_TWO_PERSON"
    ended = campaignservicepb.WithdrawPromotionRequest(**NAMED, run_id="own", reason="the other way round")
    await bob.campaigns.WithdrawPromotion(ended)
    await request(bob, "p2")
    assert (await refusal(apply(bob, "p2"))).reason == "E_PROMOTION_STATE"  # nothing is applied to who trades live
    renewed = (await ann.campaigns.ApprovePromotion(approval_of("p2"))).promotion
    assert (renewed.state, renewed.apply_run_id) == (campaignpb.PROMOTION_STATE_RENEWED, "")
    assert (await ann.campaigns.ApprovePromotion(approval_of("p2"))).promotion == renewed

    ann, bob = await at(harness, 20)  # beyond the first approval
    told = await campaign(bob)
    assert (told.phase, told.canary_step) == (campaignpb.CAMPAIGN_PHASE_LIVE_CANARY, 0)
    assert await entry(bob) == before


def reasons_of(told: campaignpb.Campaign) -> list[str]:
    return [block.reason for block in told.renewal_blocks]


async def test_a_renewal_is_for_its_policy_and_barred_as_a_promotion_is(harness: WorldHarness) -> None:
    await live_by_two(harness)
    ann, bob = await at(harness, 26)
    await request(bob, "p2")
    stricter = TWO.replace("window: 60d", "window: 600d")
    put = policyservicepb.PutPolicyRequest(
        world_id="w1", document=DOCUMENT.replace("5m", "90d") + stricter, make_default=True
    )
    await ann.policies.PutPolicy(put)
    assert (await refusal(ann.campaigns.ApprovePromotion(approval_of("p2")))).reason == "E_PROMOTION_STATE"
    harness.clock.advance(2.0)  # the next round looks at it
    await eventually(lambda: _is(ann, "VOID"))
    asked = await request(bob, "p3")
    assert (asked.renews, [block.reason for block in asked.blocks]) == (True, ["BACKTEST_WINDOW_INCOMPLETE"])
    told = await campaign(bob)
    assert (reasons_of(told), told.HasField("next_action")) == (["BACKTEST_WINDOW_INCOMPLETE"], False)
    barred = await refusal(ann.campaigns.ApprovePromotion(approval_of("p3")))
    assert (barred.reason, barred.metadata) == ("E_PROMOTION_BLOCKED", {"blocks": "BACKTEST_WINDOW_INCOMPLETE"})
    assert not (await entry(bob)).drain  # what is not renewed trades on until its approval ends

    ann, bob = await at(harness, 5)
    await eventually(lambda: _is(ann, "EXPIRED"))
    assert (await campaign(ann)).promotion.message == "it trades live no longer by an approval that holds"


async def test_a_loop_renews_under_auto_apply_each_time_that_an_approval_ends(
    harness: WorldHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    await live_by_two(harness, AUTO)
    ann, bob = await at(harness, 25)
    for _ in range(3):
        lease = LoopLease(bob.campaigns, "w1")
        await keep_ticking(LoopStubs(bob.campaigns, bob.activation), lease, 60.0, once=True, allow_live=True)
    done = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("done")]
    assert done == ["REQUEST_PROMOTION", "APPLY_PROMOTION"]
    told = await campaign(ann)
    assert (told.promotion.state, told.promotion.apply_run_id) == (campaignpb.PROMOTION_STATE_RENEWED, "")
    assert (told.approval.approved_by, told.approval.policy_version) == ("policy v2, ann", 2)
    assert not told.HasField("approval_left")
    ann, bob = await at(harness, 25)
    again = (await campaign(bob)).next_action
    assert again.kind == campaignpb.CAMPAIGN_ACTION_KIND_REQUEST_PROMOTION
    assert again.run_id > told.promotion.run_id


async def test_a_policy_tells_whose_approval_it_ends_before_and_when_it_does(harness: WorldHarness) -> None:
    ann = await governed(harness, AUTO, lag="90d")
    bob = await harness.stub(Role.OPERATOR, "bob")
    await shown_on_paper(harness, ann)
    await request(bob)
    await apply(bob)
    await eventually(lambda: _is(ann, "APPLIED"))
    await eventually(lambda: _in_canary(ann))
    assert (await campaign(ann)).approval.policy_version == 2
    document = DOCUMENT.replace("5m", "90d") + AUTO
    changed = document.replace("window: 60d", "window: 59d")

    async def put(*, dry_run: bool, document: str = changed, default: bool = True) -> policyservicepb.PutPolicyResponse:
        asked = policyservicepb.PutPolicyRequest(
            world_id="w1", document=document, make_default=default, dry_run=dry_run
        )
        return await ann.policies.PutPolicy(asked)

    told = await put(dry_run=True)
    assert (told.policy.version, list(told.ended_approvals)) == (3, ["s"])
    assert list((await put(dry_run=True, document=document)).ended_approvals) == []
    assert list((await put(dry_run=True, default=False)).ended_approvals) == []
    listed = await ann.policies.ListPolicies(policyservicepb.ListPoliciesRequest(world_id="w1"))
    assert [one.version for one in listed.policies] == [2, 1]
    await request(bob, "p2")
    await ann.campaigns.ApprovePromotion(approval_of("p2"))  # a person's: it outlives the policy
    assert list((await put(dry_run=True)).ended_approvals) == []
    await request(bob, "p3")
    await apply(bob, "p3")  # the policy's own again
    await put(dry_run=False, default=False)
    made = policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=3)
    assert list((await ann.policies.SetDefaultPolicy(made)).ended_approvals) == ["s"]
    assert (await entry(ann)).drain


async def test_a_promotion_from_before_it_traded_live_takes_nobody_back_to_the_first_step(
    harness: WorldHarness,
) -> None:
    await live_by_two(harness, days=1)
    ann, bob = await at(harness, 2)
    await eventually(lambda: _drains(ann))  # its approval ended
    assert not (await request(bob, "p2")).renews
    await ann.campaigns.ApprovePromotion(approval_of("p2"))
    await bob.applies.Apply(weighing("0.1", "direct"))  # its canary step still allows that

    async def ended() -> bool:
        asked = applyservicepb.GetApplyRunRequest(world_id="w1", run_id="direct")
        return (await bob.applies.GetApplyRun(asked)).run.HasField("ended_at")

    await eventually(ended)
    assert not await _drains(bob)
    said = await refusal(apply(bob, "p2"))
    assert (said.reason, "was asked for before it traded live" in said.message) == ("E_PROMOTION_STATE", True)


async def _drains(stub: WorldStubs) -> bool:
    return (await entry(stub)).drain


async def _in_canary(stub: WorldStubs) -> bool:
    return (await campaign(stub)).phase == campaignpb.CAMPAIGN_PHASE_LIVE_CANARY


def standing(**changes: Any) -> Standing:
    made = Standing("alpha", "s", "v", Stage.LIVE, (), None, False, False, NOW, live=True, renewal=Renewal(NOW + DAY))
    return replace(made, **changes)


ASKED = Promotion("alpha", "s", "camp-alpha-s-renew-20261123", "bob", NOW, "ready", "blake3:v1", 7, renews=True)


def test_a_renewal_goes_before_a_step_and_is_asked_for_once() -> None:
    first = action_of(standing(canary=1))
    assert first is not None
    assert (first.kind, first.run_id) == (ActionKind.REQUEST_PROMOTION, ASKED.run_id)
    later = action_of(standing(renewal=Renewal(NOW + 2 * DAY)))
    assert later is not None
    assert later.key != first.key
    barred = action_of(standing(canary=1, renewal=Renewal(NOW, (Block("OVERFIT", "s", "is"),))))
    assert barred is not None
    assert barred.kind is ActionKind.ADVANCE_CANARY
    assert action_of(standing(promotion=replace(ASKED, state=PromotionState.REJECTED))) is None  # who said no
    assert action_of(standing(promotion=ASKED)) is None  # a person approves
    by_itself = action_of(standing(promotion=ASKED, auto_apply=True))
    assert by_itself is not None
    assert (by_itself.kind, by_itself.automatic) == (ActionKind.APPLY_PROMOTION, True)
    assert action_of(standing(promotion=replace(ASKED, renews=False), auto_apply=True)) is None
    assert action_of(standing(paused=True)) is None


def test_a_renewal_asks_for_what_a_promotion_asks_but_for_the_age_of_reports_on_paper() -> None:
    def told(breaches: tuple[str, ...] = (), **changes: Any) -> list[str]:
        return [one.reason for one in renewal_blocks(replace(LIVE, **changes), breaches)]

    old = replace(REPORT, start=NOW - 90 * DAY, end=NOW - 60 * DAY)
    assert told(report=old) == []
    assert told(report=old, demoted_at=NOW) == []
    assert told(("vol of its world: .3",)) == ["BREACH_OPEN"]
    assert told(report=None) == ["DIVERGENCE_MISSING"]
    assert told(report=replace(REPORT, version="another")) == ["DIVERGENCE_MISSING"]
    assert told(report=None, live_report=REPORT) == []
    assert told(live_report=FAILS) == ["DIVERGENCE_GUARD"]
    assert told(report=FAILS, live_report=FAILS) == ["DIVERGENCE_GUARD"] * 2
    assert told(live_others=8, backtest=None) == ["MAX_LIVE_SLOTS", "MISSING_BACKTEST_RUN"]


def test_a_renewal_that_is_asked_for_ends_with_its_version_and_policy() -> None:
    def due(version: str = "blake3:v1", policy: int = 7, days: float = 1.0) -> PromotionEvent | None:
        found = due_event(ASKED, NOW + days * DAY, version, policy, approved=True)
        return None if found is None else found[0]

    assert due() is None
    assert due(version="blake3:v2") is due(policy=8) is PromotionEvent.INVALIDATED
    assert due(days=14.0) is PromotionEvent.LAPSED
