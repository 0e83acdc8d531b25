"""The hub over the wire: put, read, watch, report, explain, limits with brokerage away, roles, acknowledgement."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, InvalidRequest, NotBuilt, NotFound, NotReady, PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.worldservice.harness import WorldHarness, eventually, make_trading, stamp
from tests.worldservice.risk.books import book, message_of, series, snapshot_of
from tests.worldservice.samples import CLAIMS
from worldservice.risk.domain.snapshot import CASH, RiskStage, Snapshot

LIVE, PAPER = riskpb.RISK_STAGE_LIVE, riskpb.RISK_STAGE_PAPER
EXITS = (
    CLAIMS
    + 'risk: {exit: [{when: "drawdown > 0.4", of: strategy, act: drain}], limits: {incremental_var_99: 0.0001}}\n'
)


def measured(
    harness: WorldHarness, version: str, stage: RiskStage = RiskStage.LIVE, scope: str = "world:w1"
) -> Snapshot:
    weights, returns = book(2, 300, 1)
    if scope != "world:w1":
        weights, returns = ({f"w1/{name}": one for name, one in table.items()} for table in (weights, returns))  # type: ignore[assignment]  # two tables of one key
    now = harness.clock.now()
    moved = {name: series(one.values, now.date() - timedelta(days=1)) for name, one in returns.items()}
    one = snapshot_of(weights, moved, scope, version)
    return replace(one, as_of=now, provenance=replace(one.provenance, stage=stage))


def request_of(snapshot: Snapshot) -> riskservicepb.PutSnapshotRequest:
    kind, _, name = snapshot.scope.text.partition(":")
    if kind == "world":
        return riskservicepb.PutSnapshotRequest(world_id=name, snapshot=message_of(snapshot))
    return riskservicepb.PutSnapshotRequest(account=name, snapshot=message_of(snapshot))


async def test_a_snapshot_is_put_read_reported_and_explained(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s0", "s1")
    put = await ann.risk.PutSnapshot(request_of(measured(harness, "v1")))
    assert (put.header.actor, put.header.state, put.deduplicated) == ("ann", riskpb.SNAPSHOT_STATE_CURRENT, False)
    assert (await ann.risk.PutSnapshot(request_of(measured(harness, "v1")))).deduplicated
    with pytest.raises(Conflict, match="E_SNAPSHOT_CONFLICT"):
        await ann.risk.PutSnapshot(request_of(replace(measured(harness, "v1"), ttl=timedelta(seconds=60))))
    latest = (await ann.risk.GetLatest(riskservicepb.GetLatestRequest(world_id="w1", stage=LIVE))).snapshot
    assert (latest.version, latest.hash, len(latest.returns)) == ("v1", put.header.hash, 2)
    report = await ann.risk.GetReport(riskservicepb.GetReportRequest(world_id="w1"))
    assert report.same_as_stored
    assert report.report.normal.var_99 > 0
    assert sum(one.component for one in report.report.strategies) == pytest.approx(report.report.normal.var_99)
    told = await ann.risk.ExplainCandidate(
        riskservicepb.ExplainCandidateRequest(world_id="w1", strategy_id="s1", share=0.1)
    )
    assert {one.name for one in told.incremental} >= {"var_99", "es_975"}
    with pytest.raises(InvalidRequest, match="E_FIELD: share"):
        await ann.risk.ExplainCandidate(riskservicepb.ExplainCandidateRequest(world_id="w1", strategy_id="s1"))
    with pytest.raises(NotReady, match="E_RISK_INPUT: no current snapshot of world:w1 has returns of nobody"):
        await ann.risk.ExplainCandidate(
            riskservicepb.ExplainCandidateRequest(world_id="w1", strategy_id="nobody", share=0.1)
        )
    tests = await ann.risk.BacktestForecasts(riskservicepb.BacktestForecastsRequest(world_id="w1"))
    assert not tests.HasField("tests")  # the forecast of today has no return yet
    with pytest.raises(InvalidRequest, match="E_FIELD: window"):
        await ann.risk.BacktestForecasts(riskservicepb.BacktestForecastsRequest(world_id="w1", window=59))
    harness.clock.advance(1000.0)
    with pytest.raises(NotReady, match="E_SNAPSHOT_EXPIRED"):
        await ann.risk.GetLatest(riskservicepb.GetLatestRequest(world_id="w1"))
    at = riskservicepb.LookupSnapshotRequest(world_id="w1", at=stamp(harness.clock.now()))
    assert (await ann.risk.LookupSnapshot(at)).snapshot.state == riskpb.SNAPSHOT_STATE_EXPIRED
    with pytest.raises(NotFound, match="E_SNAPSHOT_UNKNOWN"):
        await ann.risk.LookupSnapshot(riskservicepb.LookupSnapshotRequest(world_id="w1", version="v9"))
    listed = await ann.risk.ListSnapshots(riskservicepb.ListSnapshotsRequest(world_id="w1"))
    assert [one.version for one in listed.snapshots] == ["v1"]


async def test_roles_bind_in_worlds_and_accounts(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s0", "s1")
    bob = await harness.stub(Role.NONE, "bob")
    brokerage = await harness.gateway("brokerage")
    with pytest.raises(PermissionDenied):
        await bob.risk.PutSnapshot(request_of(measured(harness, "v1")))
    with pytest.raises(PermissionDenied):
        await bob.risk.GetReport(riskservicepb.GetReportRequest(world_id="w1"))
    put = await brokerage.risk.PutSnapshot(request_of(measured(harness, "a1", scope="account:main")))
    assert put.header.actor == "service:brokerage"
    grant = accessservicepb.GrantRequest(account="main", subject="bob", role=commonpb.ROLE_READER)
    await ann.access.Grant(grant)
    report = (await bob.risk.GetReport(riskservicepb.GetReportRequest(account="main"))).report
    assert [one.strategy_id for one in report.strategies] == ["w1"]  # sums, not names
    assert report.strategies[0].component == pytest.approx(report.normal.var_99)
    seen = (await bob.risk.GetLatest(riskservicepb.GetLatestRequest(account="main"))).snapshot
    assert [one.id for one in seen.weights] == ["w1"]
    assert not seen.returns
    whole = (await ann.risk.GetReport(riskservicepb.GetReportRequest(account="main"))).report
    assert [one.strategy_id for one in whole.strategies] == ["w1/s0", "w1/s1"]
    with pytest.raises(PermissionDenied):
        await bob.risk.PutAccountLimits(riskservicepb.PutAccountLimitsRequest(account="main", reason="more"))
    with pytest.raises(InvalidRequest, match="E_FIELD: scope"):
        await ann.risk.GetReport(riskservicepb.GetReportRequest())


async def test_limits_reach_brokerage_or_are_pending(harness: WorldHarness) -> None:
    ann = await harness.stub()
    wanted = riskservicepb.PutAccountLimitsRequest(
        account="main", limits=accountpb.AccountLimits(gross_max="500", leverage_max="1.5"), reason="less risk"
    )
    told = (await ann.risk.PutAccountLimits(wanted)).limits
    assert (told.revision, told.limits_pending) == (1, False)
    assert harness.accounts.limits["main"].limits.gross_max == "500"
    with pytest.raises(Conflict, match="E_ETAG_MISMATCH"):
        await ann.risk.PutAccountLimits(
            riskservicepb.PutAccountLimitsRequest(account="main", etag="main-9", reason="x")
        )
    bad = accountpb.AccountLimits(gross_max="-1")
    with pytest.raises(InvalidRequest, match=r"E_DECIMAL: limits\.gross_max"):
        await ann.risk.PutAccountLimits(riskservicepb.PutAccountLimitsRequest(account="main", limits=bad, reason="x"))
    gone = (Unavailable("E_UNAVAILABLE", "away"), NotBuilt("E_UNIMPLEMENTED", "a brokerage without the call"))
    wanted.limits.gross_max = "400"
    for error in gone:
        harness.accounts.error = error
        told = (await ann.risk.PutAccountLimits(wanted)).limits
        assert (told.revision, told.limits_pending) == (2, True)
        assert told.pending_reason.startswith(error.reason)
    assert harness.accounts.limits["main"].limits.gross_max == "500"
    harness.accounts.error = None

    async def confirmed() -> bool:
        harness.clock.advance(10.0)
        asked = riskservicepb.GetAccountLimitsRequest(account="main")
        return not (await ann.risk.GetAccountLimits(asked)).limits.limits_pending

    await eventually(confirmed)
    assert harness.accounts.limits["main"].limits.gross_max == "400"
    harness.accounts.limits["main"].revision = 40  # somebody wrote past this store
    wanted.limits.gross_max = "450"
    told = (await ann.risk.PutAccountLimits(wanted)).limits
    assert (told.revision, told.limits_pending) == (41, False), "a person has said so"


async def test_limits_of_a_store_that_is_behind_never_widen_by_themselves(harness: WorldHarness) -> None:
    ann = await harness.stub()
    wanted = riskservicepb.PutAccountLimitsRequest(
        account="main", limits=accountpb.AccountLimits(gross_max="500", net_max="200"), reason="less risk"
    )
    harness.accounts.error = Unavailable("E_UNAVAILABLE", "away")
    await ann.risk.PutAccountLimits(wanted)
    newer = accountpb.AccountLimits(gross_max="400", budgets=[accountpb.AccountBudget(world_id="w", gross_max="5")])
    harness.accounts.limits["main"] = accountservicepb.SetAccountLimitsRequest(account="main", revision=7, limits=newer)
    harness.accounts.error = None
    asked = riskservicepb.GetAccountLimitsRequest(account="main")

    async def refused() -> bool:
        harness.clock.advance(10.0)
        return "LIMITS_OUTRANKED" in (await ann.risk.GetAccountLimits(asked)).limits.pending_reason

    await eventually(refused)
    told = (await ann.risk.GetAccountLimits(asked)).limits
    assert told.limits_pending
    assert "gross_max from 400 to 500, budget of w from 5 to none" in told.pending_reason
    assert harness.accounts.limits["main"].limits == newer
    told = (await ann.risk.PutAccountLimits(wanted)).limits
    assert (told.revision, told.limits_pending, told.pending_reason) == (8, False, ""), "a person has said so again"
    assert harness.accounts.limits["main"].limits.gross_max == "500"
    harness.accounts.limits["main"].revision = 20
    harness.accounts.limits["main"].limits.gross_max = "900"
    wanted.limits.gross_max = "430"
    harness.accounts.error = Unavailable("E_UNAVAILABLE", "away")
    await ann.risk.PutAccountLimits(wanted)
    harness.accounts.error = None

    async def narrowed() -> bool:
        harness.clock.advance(10.0)
        return harness.accounts.limits["main"].limits.gross_max == "430"

    await eventually(narrowed)


async def test_an_exit_is_at_brokerage_before_the_put_is_answered(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s0", "s1")

    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=EXITS, make_default=True))
    one = measured(harness, "v1", RiskStage.PAPER)
    last = harness.clock.now().date() - timedelta(days=1)
    fallen = replace(one, returns={**one.returns, "s0": series([*one.returns["s0"].values[:-1], -0.5], last)})
    epoch = harness.brokerage.state("w1")[0]
    await ann.risk.PutSnapshot(request_of(fallen))
    assert harness.brokerage.state("w1")[0] == epoch + 1
    standings = {one.strategy_id for one in harness.brokerage.fences["w1"].standings}
    assert standings == {"s1"}
    found = (await ann.risk.ListBreaches(riskservicepb.ListBreachesRequest(world_id="w1"))).breaches
    assert [(one.rule.partition("#")[0], one.target, one.state, one.act) for one in found] == [
        ("paper:exit[0]", "s0", riskpb.BREACH_STATE_ACTED, "drain")
    ]
    asked = riskservicepb.AcknowledgeBreachRequest(world_id="w1", sequence=found[0].sequence, reason="seen")
    seen = (await ann.risk.AcknowledgeBreach(asked)).breach
    assert (seen.state, seen.acknowledged_by) == (riskpb.BREACH_STATE_ACKNOWLEDGED, "ann")
    with pytest.raises(NotFound, match="E_BREACH_UNKNOWN"):
        await ann.risk.AcknowledgeBreach(riskservicepb.AcknowledgeBreachRequest(world_id="w1", sequence=99, reason="x"))
    log = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    assert {"PutSnapshot", "RiskExit", "AcknowledgeBreach"} <= {row.event for row in log}


async def test_a_watch_begins_with_what_stands_and_goes_on_by_revision(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s0", "s1")
    await ann.risk.PutSnapshot(request_of(measured(harness, "v1")))
    await ann.risk.PutSnapshot(request_of(replace(measured(harness, "v2"), ttl=timedelta(seconds=60))))
    call = ann.risk.WatchSnapshots(riskservicepb.WatchSnapshotsRequest(world_id="w1"))
    try:
        first = (await anext(aiter(call))).header
        assert (first.version, first.revision) == ("v2", 2)
    finally:
        call.cancel()
    call = ann.risk.WatchSnapshots(riskservicepb.WatchSnapshotsRequest(world_id="w1", after_revision=1))
    try:
        assert (await anext(aiter(call))).header.version == "v2"
    finally:
        call.cancel()
    exposure = await ann.risk.GetExposure(riskservicepb.GetExposureRequest(world_id="w1"))
    assert (exposure.capital, list(exposure.rows)) == ("", [])
    assert CASH == "@cash"
