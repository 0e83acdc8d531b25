"""A strategy live: its canary steps by days of the hub, weights above them, the rule that lowers it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa

from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from tests.support.world_stubs import WorldStubs
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
from tests.worldservice.harness import LONG, WorldHarness, eventually
from tests.worldservice.risk.books import message_of, series, snapshot_of
from worldservice.campaigns.reports.store import append_report
from worldservice.graph.store.edges import version_of

DAYS = 2
CANARY = EASY.replace("days: 5", f"days: {DAYS}").replace(
    "  live:", '  demote: [{when: "live_drawdown > 0.15", act: drain}]\n  live:'
)
ON = campaignpb.CAMPAIGN_PHASE_LIVE_CANARY


async def measured(harness: WorldHarness, ann: WorldStubs, version: str, *values: float) -> None:
    """A live snapshot of the hub whose last day is yesterday."""
    now = harness.clock.now()
    last = now.date() - timedelta(days=1)
    message = message_of(snapshot_of({"s": 1.0}, {"s": series(values, last)}, version=version))
    message.as_of.FromDatetime(now)
    await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w1", snapshot=message))


async def taken_live(harness: WorldHarness, ann: WorldStubs) -> None:
    await shown_on_paper(harness, ann)
    await request(ann)
    await ann.campaigns.ApprovePromotion(campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="fine"))
    await apply(ann)
    await eventually(lambda: _is(ann, "APPLIED"))


def weighing(weight: str, run_id: str) -> applyservicepb.ApplyRequest:
    asked = applyservicepb.ApplyRequest(world_id="w1", run_id=run_id)
    asked.targets.targets.append(applypb.ApplyTarget(strategy_id="s", side=LONG, weight=weight, stage="STAGE_LIVE"))
    return asked


async def entry(stub: WorldStubs) -> activationpb.ActivationEntry:
    request = activationservicepb.GetActivationRequest(world_id="w1")
    return (await stub.activation.GetActivation(request)).activation.entries[0]


async def test_a_canary_takes_its_steps_by_live_days_and_a_rule_lowers_it(harness: WorldHarness) -> None:
    ann = await governed(harness, CANARY, lag="60d")
    await taken_live(harness, ann)
    told = await campaign(ann)
    assert (told.phase, told.canary_step, reasons(told)) == (ON, 0, ["CANARY_DAYS"])
    advance = campaignservicepb.AdvanceCanaryRequest(**NAMED, run_id="a1")
    for call in (
        ann.applies.Apply(weighing("0.5", "direct")),
        ann.activation.SetActivation(_weight("0.5")),
        ann.campaigns.AdvanceCanary(advance),
    ):
        blocked = await refusal(call)
        assert blocked.reason == "E_PROMOTION_BLOCKED"
    assert blocked.metadata == {"blocks": "CANARY_DAYS"}
    await ann.activation.SetActivation(_weight("0.05"))  # narrowing passes, and so does the way back to the step
    assert (await entry(ann)).weight == "0.05"

    harness.clock.advance(timedelta(days=DAYS + 1).total_seconds())
    ann = await harness.stub()
    bob = await harness.stub(Role.OPERATOR, "bob")
    await measured(harness, ann, "v1", 0.01, 0.01)
    told = await campaign(bob)
    assert (reasons(told), told.live_days) == ([], DAYS)
    due = (await bob.campaigns.Tick(campaignservicepb.TickRequest(world_id="w1"))).actions
    assert [(one.kind, one.automatic) for one in due] == [(campaignpb.CAMPAIGN_ACTION_KIND_ADVANCE_CANARY, False)]
    first = await bob.campaigns.AdvanceCanary(advance)
    assert (await bob.campaigns.AdvanceCanary(advance)).apply_run_id == first.apply_run_id == "canary-a1"
    await eventually(lambda: _in(bob, campaignpb.CAMPAIGN_PHASE_LIVE_FULL))
    assert (await entry(bob)).weight == "1"
    assert (await refusal(bob.campaigns.AdvanceCanary(_again("a2")))).reason == "E_PHASE"

    watch = bob.campaigns.WatchCampaigns(campaignservicepb.WatchCampaignsRequest(world_id="w1"))
    with scoped(watch) as stream:
        replies = aiter(stream)
        before = (await anext(replies)).campaign
        assert before.phase == campaignpb.CAMPAIGN_PHASE_LIVE_FULL
        harness.clock.advance(timedelta(days=1).total_seconds())
        ann = await harness.stub()
        await measured(harness, ann, "v2", 0.01, 0.01, -0.3)
        harness.clock.advance(2.0)  # the next round looks at it
        after = (await anext(replies)).campaign
    assert after.campaign_revision > before.campaign_revision
    assert after.phase == campaignpb.CAMPAIGN_PHASE_DEMOTED
    assert after.demoted_by.startswith("live_drawdown > 0.15 on 1 live data days")
    bob = await harness.stub(Role.OPERATOR, "bob")
    lowered = await entry(bob)
    assert (lowered.drain, lowered.weight) == (True, "1")
    log = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))
    assert [row.message for row in log.entries if row.event == "DemoteStrategy" and "drain s by rule" in row.message]
    again = await refusal(bob.applies.Apply(weighing("0.1", "back")))
    assert {"APPROVAL_MISSING", "COOLDOWN_ACTIVE"} <= {*again.metadata["blocks"].split(",")}


async def test_figures_of_a_live_report_lower_a_strategy(harness: WorldHarness) -> None:
    rule = '[{when: "match_rate < 0.9", act: drain}]'
    ann = await governed(harness, EASY.replace("  live:", f"  demote: {rule}\n  live:"), lag="60d")
    await taken_live(harness, ann)
    harness.clock.advance(timedelta(days=DAYS + 1).total_seconds())
    ann = await harness.stub()
    report = divergencepb.DivergenceReport(
        world_id="w1", strategy_id="s", execution_domain="EXECUTION_DOMAIN_LIVE",
    )  # fmt: skip
    report.end.FromDatetime(datetime.combine(harness.clock.now().date(), time(), UTC))

    def reported(conn: sa.Connection) -> None:
        report.strategy_version = version_of(conn, "w1", "s")
        for told, rate in ((divergencepb.DIVERGENCE_VERDICT_FAIL, 0.5), (divergencepb.DIVERGENCE_VERDICT_UNKNOWN, 0.1)):
            report.verdict, report.report_id, report.figures.match_rate = told, f"blake3:{told}", rate
            append_report(conn, report)

    await harness.fill(reported)
    await measured(harness, ann, "v1", 0.01, 0.01)
    harness.clock.advance(2.0)  # the next round looks at it
    await eventually(lambda: _in(ann, campaignpb.CAMPAIGN_PHASE_DEMOTED))
    assert (await campaign(ann)).demoted_by.endswith(": match_rate 0.5")
    assert (await entry(ann)).drain


async def test_who_takes_the_approval_back_demotes(harness: WorldHarness) -> None:
    ann = await governed(harness, CANARY)
    await taken_live(harness, ann)
    await ann.bindings.RevokeLive(bindingservicepb.RevokeLiveRequest(world_id="w1", strategy_id="s"))
    harness.clock.advance(2.0)  # the next round looks at it
    await eventually(lambda: _in(ann, campaignpb.CAMPAIGN_PHASE_DEMOTED))
    assert (await entry(ann)).drain
    await ann.bindings.ApproveLive(bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="s"))
    again = await refusal(ann.applies.Apply(weighing("1", "back")))
    assert {"CANARY_SHARE", "COOLDOWN_ACTIVE"} <= {*again.metadata["blocks"].split(",")}


def _again(run_id: str) -> campaignservicepb.AdvanceCanaryRequest:
    return campaignservicepb.AdvanceCanaryRequest(**NAMED, run_id=run_id)


def _weight(weight: str) -> activationservicepb.SetActivationRequest:
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, weight=weight)
    return activationservicepb.SetActivationRequest(world_id="w1", changes=[change], message="a test")


async def _in(stub: WorldStubs, phase: campaignpb.CampaignPhase) -> bool:
    return (await campaign(stub)).phase == phase
