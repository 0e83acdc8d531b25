"""The contract over a real wire and store, beside a brokerage that keeps its rules."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady
from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.allocation.accounts import AccountsWithBooks, reason_of
from tests.worldservice.harness import WorldHarness, eventually, make_trading
from worldservice.allocation.domain.run import RunState, moved
from worldservice.allocation.store import runs, sets
from worldservice.tables import outbox

PB = allocationservicepb


def upsert(run_id: str, expected: int, worlds: dict[str, str], **strategies: str) -> PB.UpsertAllocationsRequest:
    """Shares of worlds, and of strategies of w1."""
    return PB.UpsertAllocationsRequest(
        account="main",
        run_id=run_id,
        expected_revision=expected,
        worlds=[allocationpb.WorldShare(world_id=world, share=share) for world, share in worlds.items()],
        strategies=[
            allocationpb.StrategyShare(world_id="w1", strategy_id=name, share=share)
            for name, share in strategies.items()
        ],
        reason="a test",
    )


def change(before: int, after: int) -> rebalancepb.RebalanceRequest:
    """From one revision to another."""
    revisions = rebalancepb.ShareRevisions(before_revision=before, after_revision=after)
    return rebalancepb.RebalanceRequest(account="main", revisions=revisions)


def scaled(factor: str) -> rebalancepb.RebalanceRequest:
    """All of w1 by a factor."""
    scales = rebalancepb.ExplicitScales(worlds=[allocationpb.WorldShare(world_id="w1", share=factor)])
    return rebalancepb.RebalanceRequest(account="main", explicit=scales)


async def traded(harness: WorldHarness, accounts: AccountsWithBooks) -> WorldStubs:
    """Worlds w1, with strategies s1 and s2 on paper, and w2; s1 holds 1 BTC and s2 is short .5."""
    ann = await make_trading(harness, "w1", "s1", "s2")
    await make_trading(harness, "w2")
    accounts.held = [("w1", "s1", "BTC-USD", "1"), ("w1", "s2", "BTC-USD", "-0.5")]
    accounts.mark = ("60000", harness.clock.now())
    return ann


async def test_a_set_is_recorded_once_and_its_budgets_are_in_brokerage_before_the_answer(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    request = upsert("r1", 0, {"w1": "0.25", "w2": "0.5"}, s1="0.1")
    first = await ann.allocations.UpsertAllocations(request)
    assert (first.allocations.revision, first.budgets_pending) == (1, False)
    assert accounts.budgets() == {("w1", ""): "500000", ("w1", "s1"): "200000", ("w2", ""): "1000000"}
    capital = {(each.world_id, each.strategy_id): each.capital for each in accounts.account.limits.budgets}
    assert capital == {("w1", ""): "250000", ("w1", "s1"): "100000", ("w2", ""): "500000"}
    parts: list[float | None] = []
    await allocating.fill(lambda conn: parts.append(sets.share_in_world(conn, "w1", "s1")))
    assert parts == [0.4]
    assert await ann.allocations.UpsertAllocations(request) == first
    other = upsert("r1", 0, {"w1": "0.2"})
    assert await reason_of(ann.allocations.UpsertAllocations(other)) == "E_RUN_CONFLICT"
    assert await reason_of(ann.allocations.UpsertAllocations(upsert("r2", 0, {"w1": "0.2"}))) == "E_ETAG_MISMATCH"
    await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.2"}))
    assert await ann.allocations.UpsertAllocations(request) == first
    listed = await ann.allocations.ListAllocations(PB.ListAllocationsRequest(account="main"))
    assert [each.revision for each in listed.allocations] == [2, 1]


async def test_what_is_refused_of_a_set(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    upserts = ann.allocations.UpsertAllocations
    assert await reason_of(upserts(upsert("r", 0, {"w1": "0.5", "w2": "0.481"}))) == "E_SHARE"
    assert await reason_of(upserts(upsert("r", 0, {"w1": "-0.1"}))) == "E_SHARE"
    assert await reason_of(upserts(upsert("r", 0, {"w1": "0.1"}, s1="0.2"))) == "E_SHARE"
    assert await reason_of(upserts(upsert("r", 0, {"w3": "0.1"}))) == "E_WORLD_UNKNOWN"
    assert await reason_of(upserts(upsert("r", 0, {"w1": "0.1"}, s9="0.1"))) == "E_STRATEGY_UNKNOWN"
    twice = upsert("r", 0, {"w1": "0.1"})
    twice.worlds.add(world_id="w1", share="0.1")
    assert await reason_of(upserts(twice)) == "E_DUPLICATE_KEY"
    many = upsert("r", 0, {"w1": "0"}, **{f"s{n}": "0" for n in range(2_001)})
    assert await reason_of(upserts(many)) == "E_TOO_MANY_ROWS"
    nobody = upsert("r", 0, {"w1": "0.1"})
    nobody.account = "other"
    assert await reason_of(upserts(nobody)) == "E_ACCOUNT_UNKNOWN"
    silent = upsert("r", 0, {"w1": "0.1"})
    silent.reason = ""
    assert await reason_of(upserts(silent)) == "E_FIELD"
    assert await reason_of(ann.allocations.GetAllocations(PB.GetAllocationsRequest(account="main"))) == (
        "E_ALLOCATION_UNKNOWN"
    )
    assert accounts.account.limits_revision == 0, "no limits were sent"


async def test_operators_of_account_and_worlds_only(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    ben = await allocating.stub(Role.NONE, "ben")
    request = upsert("r1", 0, {"w1": "0.2"})
    assert await reason_of(ben.allocations.UpsertAllocations(request)) == "E_ROLE_REQUIRED"

    async def grant(**scope: str) -> None:
        role = commonpb.ROLE_OPERATOR
        await ann.access.Grant(accessservicepb.GrantRequest(subject="ben", role=role, **scope))

    await grant(account="main")
    assert await reason_of(ben.allocations.UpsertAllocations(request)) == "E_ROLE_REQUIRED"
    await grant(world_id="w1")
    assert await reason_of(ben.allocations.UpsertAllocations(request)) == "E_ROLE_REQUIRED", "it leaves w2 nothing"
    assert accounts.account.limits_revision == 0
    await grant(world_id="w2")
    await ben.allocations.UpsertAllocations(request)
    request = upsert("r2", 1, {"w1": "0.2"})
    request.terms.two_person = True
    await ben.allocations.UpsertAllocations(request)
    assert await reason_of(ben.allocations.UpsertAllocations(upsert("r3", 2, {"w1": "0.2"}))) == "E_ROLE_REQUIRED"
    assert (await ann.allocations.UpsertAllocations(upsert("r3", 2, {"w1": "0.2"}))).allocations.revision == 3
    eve = await allocating.stub(Role.NONE, "eve")
    assert await reason_of(eve.allocations.GetAllocations(PB.GetAllocationsRequest(account="main"))) == (
        "E_ROLE_REQUIRED"
    )
    audit = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))
    assert all(entry.event != "UpsertAllocations" for entry in audit.entries)


async def test_an_operator_of_the_account_neither_trades_nor_sees_the_world_of_others(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    accounts.held = [("w1", "s1", "BTC-USD", "1"), ("w2", "s3", "BTC-USD", "2")]
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.2", "w2": "0.4"}, s1="0.1"))
    await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.1"}, s1="0.1"))
    ben = await allocating.stub(Role.NONE, "ben")
    for scope in ({"account": "main"}, {"world_id": "w1"}):
        await ann.access.Grant(accessservicepb.GrantRequest(subject="ben", role=commonpb.ROLE_OPERATOR, **scope))

    theirs = scaled("0.5")
    theirs.explicit.worlds[0].world_id = "w2"
    for number, rebalance in enumerate((theirs, change(1, 2))):  # the second closes w2, which revision 2 leaves out
        plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=rebalance))).plan
        assert await reason_of(ben.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=rebalance))) == (
            "E_ROLE_REQUIRED"
        )
        request = PB.ApplyRebalanceRequest(
            rebalance=rebalance, run_id=f"go{number}", plan_hash=plan.plan_hash, reason="why", closes=plan.closes
        )
        assert await reason_of(ben.allocations.ApplyRebalance(request)) == "E_ROLE_REQUIRED"
        assert not (await ann.allocations.ListRebalances(PB.ListRebalancesRequest(account="main"))).runs

    await ann.allocations.ApplyRebalance(request)
    start = progressservicepb.StartRebalanceRequest(account="main", run_id="go1")
    assert await reason_of(ben.rebalances.StartRebalance(start)) == "E_ROLE_REQUIRED"
    got = PB.GetRebalanceRequest(account="main", run_id="go1")
    assert (await ann.allocations.GetRebalance(got)).run.state == rebalancepb.REBALANCE_STATE_RECORDED
    assert await reason_of(ben.allocations.GetRebalance(got)) == "E_ROLE_REQUIRED"
    (listed,) = (await ben.allocations.ListRebalances(PB.ListRebalancesRequest(account="main"))).runs
    assert (listed.state, list(listed.world_ids)) == (rebalancepb.REBALANCE_STATE_RECORDED, [])

    cy = await allocating.stub(Role.NONE, "cy")
    await ann.access.Grant(accessservicepb.GrantRequest(subject="cy", role=commonpb.ROLE_READER, account="main"))
    shown = await cy.allocations.GetAllocations(PB.GetAllocationsRequest(account="main"))
    assert [row.world_id for row in shown.allocations.worlds] == ["w1"]
    assert not shown.allocations.strategies
    assert [(row.world_id, row.strategy_id) for row in shown.capital] == [("w1", ""), ("w2", "")]
    history = await cy.allocations.ListAllocations(PB.ListAllocationsRequest(account="main"))
    assert not any(each.strategies for each in history.allocations)


async def test_what_a_set_leaves_out_is_closed_only_if_that_is_said(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    accounts.held = [("w1", "s1", "BTC-USD", "1"), ("w1", "s2", "BTC-USD", "1"), ("w2", "s3", "BTC-USD", "2")]
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.2"}, s1="0.1", s2="0.1"))
    await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.2"}, s1="0.1"))
    plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=change(1, 2)))).plan
    assert list(plan.closes) == ["w1/s2", "w2"]
    said = [warning.partition(",")[0] for warning in plan.warnings[:2]]
    assert said == [f"CLOSES: the set after does not name {name}" for name in plan.closes]
    request = PB.ApplyRebalanceRequest(rebalance=change(1, 2), run_id="go", plan_hash=plan.plan_hash, reason="why")
    assert await reason_of(ann.allocations.ApplyRebalance(request)) == "E_CLOSES_UNSAID"
    request.closes.append("w2")
    assert await reason_of(ann.allocations.ApplyRebalance(request)) == "E_CLOSES_UNSAID"
    assert not (await ann.allocations.ListRebalances(PB.ListRebalancesRequest(account="main"))).runs
    request.closes.append("w1/s2")
    assert (await ann.allocations.ApplyRebalance(request)).run.state == rebalancepb.REBALANCE_STATE_RECORDED


async def test_capital_and_its_use(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.25"}, s1="0.1"))
    found = await ann.allocations.GetAllocations(PB.GetAllocationsRequest(account="main"))
    assert (found.equity, found.budgets_pending) == ("1000000", False)
    world, strategy = found.capital
    assert (world.capital, world.budget, world.gross, world.utilisation) == ("250000", "500000", "90000", "0.18")
    assert (strategy.strategy_id, strategy.capital, strategy.utilisation) == ("s1", "100000", "0.3")


async def test_budgets_are_pending_while_brokerage_is_away_and_told_when_it_is_back(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.25"}))
    accounts.away = True
    assert await reason_of(ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.1"}))) == "E_UNREACHABLE"
    accounts.away = False
    accounts.takes_limits = False
    pending = await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.1"}))
    assert pending.budgets_pending
    accounts.takes_limits = True

    async def told() -> bool:
        allocating.clock.advance(2.0)
        return accounts.budgets() == {("w1", ""): "200000", ("w2", ""): "0"}

    await eventually(told)


async def test_budgets_and_limits_that_people_put_do_not_undo_each_other(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    accounts.account.limits.symbol_max = "0.5"  # it was opened with it
    accounts.account.limits_revision = 3
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.25"}))
    budgets = {("w1", ""): "500000", ("w2", ""): "0"}  # who is left out has share 0
    assert (accounts.budgets(), accounts.account.limits.symbol_max) == (budgets, "0.5")
    put = riskservicepb.PutAccountLimitsRequest(account="main", reason="a test", limits={"gross_max": "900000"})
    told = (await ann.risk.PutAccountLimits(put)).limits
    assert (accounts.budgets(), told.limits_pending) == (budgets, False)
    assert (accounts.account.limits.gross_max, accounts.account.limits.symbol_max) == ("900000", "")
    await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.1"}))
    assert (accounts.budgets()["w1", ""], accounts.account.limits.gross_max) == ("200000", "900000")
    assert accounts.account.limits_revision == told.revision + 1, "one revision has both"


async def test_budgets_follow_equity_at_the_next_day_and_at_once_after_a_fall(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.25"}))

    def following(budget: str) -> object:
        async def told() -> bool:
            allocating.clock.advance(31.0)
            return accounts.budgets() == {("w1", ""): budget, ("w2", ""): "0"}

        return told

    accounts.equity = "949999"
    await eventually(following("474999.5"))  # type: ignore[arg-type]
    accounts.equity = "2000000"
    allocating.clock.advance(86_400.0)
    await eventually(following("1000000"))  # type: ignore[arg-type]


async def test_a_plan_from_revisions_and_its_run(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.3"}))
    await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.2"}))
    plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=change(1, 2)))).plan
    legs = [(leg.strategy_id, leg.delta_numerator, leg.delta_denominator, leg.rounded) for leg in plan.legs]
    assert legs == [("s1", "-1", "3", "-0.333"), ("s2", "1", "6", "0.166")]
    assert [(order.quantity, order.reduce_only) for order in plan.orders] == [("-0.333", True), ("0.166", True)]
    assert (plan.before.gross, plan.before.net, plan.account_event_number) == ("90000", "30000", 7)

    request = PB.ApplyRebalanceRequest(rebalance=change(1, 2), run_id="go", plan_hash=plan.plan_hash, reason="cut w1")
    run = (await ann.allocations.ApplyRebalance(request)).run
    assert (run.state, run.revision) == (rebalancepb.REBALANCE_STATE_RECORDED, 1)
    assert list(run.world_ids) == ["w1"]
    assert run.plan.legs == plan.legs
    assert (await ann.allocations.ApplyRebalance(request)).run == run
    request.reason = "another"
    assert await reason_of(ann.allocations.ApplyRebalance(request)) == "E_RUN_CONFLICT"

    got = await ann.allocations.GetRebalance(PB.GetRebalanceRequest(account="main", run_id="go"))
    assert got.run == run
    listed = await ann.allocations.ListRebalances(PB.ListRebalancesRequest(account="main"))
    assert [each.run_id for each in listed.runs] == ["go"]
    assert not listed.runs[0].HasField("plan")
    allocating.clock.advance(300.0)
    gone = await ann.allocations.GetRebalance(PB.GetRebalanceRequest(account="main", run_id="go"))
    assert gone.run.state == rebalancepb.REBALANCE_STATE_EXPIRED
    watched = [reply.run.state async for reply in ann.allocations.WatchRebalance(
        PB.WatchRebalanceRequest(account="main", run_id="go")
    )]  # fmt: skip
    assert watched == [rebalancepb.REBALANCE_STATE_EXPIRED]


async def test_what_is_refused_of_plans_and_runs(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    plans, applies = ann.allocations.PlanRebalance, ann.allocations.ApplyRebalance
    plan = (await plans(PB.PlanRebalanceRequest(rebalance=scaled("0.5")))).plan
    request = PB.ApplyRebalanceRequest(rebalance=scaled("0.5"), run_id="go", plan_hash=plan.plan_hash, reason="why")
    accounts.held[0] = ("w1", "s1", "BTC-USD", "1.2")
    assert await reason_of(applies(request)) == "E_PLAN_MOVED"
    netted = scaled("0.5")
    netted.execution = rebalancepb.REBALANCE_EXECUTION_NETTED
    shown = (await plans(PB.PlanRebalanceRequest(rebalance=netted))).plan
    assert [(order.quantity, list(order.shares)) for order in shown.orders] == [("-0.35", ["-600", "250"])]
    request.run_id = "Not An Id"
    assert await reason_of(applies(request)) == "E_FIELD"
    unknown = PB.PlanRebalanceRequest(rebalance=change(1, 2))
    assert await reason_of(plans(unknown)) == "E_ALLOCATION_UNKNOWN"
    assert await reason_of(plans(PB.PlanRebalanceRequest())) == "E_FIELD"
    far = scaled("0.5")
    for far.slippage_max_bps in ("0", "1000.1"):
        assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=far))) == "E_FIELD"
    got = PB.GetRebalanceRequest(account="main", run_id="nope")
    assert await reason_of(ann.allocations.GetRebalance(got)) == "E_RUN_UNKNOWN"
    allocating.clock.advance(901.0)
    assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=scaled("0.5")))) == "E_MARK_STALE"
    accounts.mark = None
    assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=scaled("0.5")))) == "E_MARK_MISSING"


async def test_who_is_not_active_takes_no_new_risk(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=scaled("2")))).plan
    reasons = {leg.strategy_id: list(leg.reasons) for leg in plan.legs}
    assert reasons == {"s1": [], "s2": [rebalancepb.LEG_REASON_NOT_ACTIVE]}  # s2 is active to the long side only
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.05"}))
    accounts.mark = ("60000", allocating.clock.now())
    plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=scaled("2")))).plan
    assert list(plan.legs[0].reasons) == [rebalancepb.LEG_REASON_OVER_BUDGET]


async def test_a_hedge_is_planned_recorded_and_bounded_by_its_own_share(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    plans = ann.allocations.PlanRebalance
    asked = scaled("0.5")
    asked.approach = rebalancepb.REBALANCE_APPROACH_OVERLAY
    assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=asked))) == "E_OVERLAY_PROXY"
    proxy = asked.proxies.add(world_id="w1", symbol="ETH-USD", venue="elsewhere")
    assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=asked))) == "E_OVERLAY_PROXY"
    proxy.venue = "paper"
    assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=asked))) == "E_MARK_MISSING"
    accounts.more_marks["ETH-USD"] = ("3000", allocating.clock.now())
    plan = (await plans(PB.PlanRebalanceRequest(rebalance=asked))).plan
    (leg,) = plan.legs
    assert (leg.strategy_id, leg.symbol, leg.rounded, leg.mark_price) == ("@overlay", "ETH-USD", "-5", "3000")
    apply = PB.ApplyRebalanceRequest(rebalance=asked, run_id="go", plan_hash=plan.plan_hash, reason="why")
    assert (await ann.allocations.ApplyRebalance(apply)).run.plan.legs[0] == leg
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.3"}))
    plan = (await plans(PB.PlanRebalanceRequest(rebalance=asked))).plan
    assert list(plan.legs[0].reasons) == [rebalancepb.LEG_REASON_OVER_BUDGET], "its share is 0"
    await ann.allocations.UpsertAllocations(upsert("r2", 1, {"w1": "0.3"}, **{"@overlay": "0.1"}))
    assert accounts.budgets()[("w1", "@overlay")] == "200000"
    assert (await plans(PB.PlanRebalanceRequest(rebalance=asked))).plan.legs[0] == leg
    asked.explicit.strategies.add(world_id="w1", strategy_id="s1", share="0.1")
    assert await reason_of(plans(PB.PlanRebalanceRequest(rebalance=asked))) == "E_FIELD"


async def test_headroom_is_that_of_the_margin_that_brokerage_tells(
    allocating: WorldHarness, accounts: AccountsWithBooks
) -> None:
    ann = await traded(allocating, accounts)
    request = PB.PlanRebalanceRequest(rebalance=scaled("0.5"))
    plan = (await ann.allocations.PlanRebalance(request)).plan
    assert (plan.before.headroom, [w for w in plan.warnings if "HEADROOM" in w]) == ("", [])
    accounts.account.type = accountpb.ACCOUNT_TYPE_MARGIN
    plan = (await ann.allocations.PlanRebalance(request)).plan
    assert [w.partition(":")[0] for w in plan.warnings if "HEADROOM" in w] == ["HEADROOM_UNKNOWN"]
    accounts.used_margin = "900000"
    plan = (await ann.allocations.PlanRebalance(request)).plan
    assert (plan.before.headroom, plan.after.headroom) == ("0.1", "0.55")
    assert not [w for w in plan.warnings if "HEADROOM" in w]
    request.rebalance.explicit.worlds[0].share = "0.999"
    accounts.used_margin = "910000"
    plan = (await ann.allocations.PlanRebalance(request)).plan
    assert [w.partition(":")[0] for w in plan.warnings if "HEADROOM" in w] == ["HEADROOM_LOW"]


async def test_a_proposal(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    vol = np.array([0.01, 0.02])
    lower = (np.array([[1, 0.5], [0.5, 1]]) * np.outer(vol, vol))[np.tril_indices(2)]
    covariance = allocationpb.StrategyCovariance(
        strategies=[allocationpb.StrategyShare(world_id="w1", strategy_id=name) for name in ("s1", "s2")],
        lower=lower.tolist(),
    )
    request = PB.ProposeAllocationsRequest(
        account="main", method=allocationpb.PROPOSAL_METHOD_INVERSE_VOL, covariance=covariance
    )
    found = await ann.allocations.ProposeAllocations(request)
    assert [row.share for row in found.strategies] == ["0.653333333", "0.326666667"]
    assert [row.share for row in found.worlds] == ["0.98"]
    request.method = allocationpb.PROPOSAL_METHOD_UNSPECIFIED
    assert await reason_of(ann.allocations.ProposeAllocations(request)) == "E_ENUM"


async def test_events_of_shares_and_runs(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    await ann.allocations.UpsertAllocations(upsert("r1", 0, {"w1": "0.3"}))
    plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=scaled("0.5")))).plan
    await ann.allocations.ApplyRebalance(
        PB.ApplyRebalanceRequest(rebalance=scaled("0.5"), run_id="go", plan_hash=plan.plan_hash, reason="why")
    )
    keys: list[str] = []
    await allocating.fill(lambda conn: keys.extend(conn.execute(outbox.keys.select()).scalars()))
    for kind in ("allocation_updated", "rebalancing_planned", "rebalance_state_changed"):
        assert f"{kind}/account:main" in keys


async def test_one_run_of_an_account_is_under_way(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    for run_id, factor in (("one", "0.5"), ("two", "0.4")):
        plan = (await ann.allocations.PlanRebalance(PB.PlanRebalanceRequest(rebalance=scaled(factor)))).plan
        request = PB.ApplyRebalanceRequest(
            rebalance=scaled(factor), run_id=run_id, plan_hash=plan.plan_hash, reason="why"
        )
        await ann.allocations.ApplyRebalance(request)

    now = allocating.clock.now() + timedelta(seconds=1)

    def execute(conn: object, run_id: str) -> None:
        found = runs.get_run(conn, "main", run_id)  # type: ignore[arg-type]
        runs.save_run(conn, moved(found.run, RunState.EXECUTING, now))  # type: ignore[arg-type]

    await allocating.fill(lambda conn: execute(conn, "one"))
    with pytest.raises(NotReady, match="E_REBALANCE_RUNNING"):
        await allocating.fill(lambda conn: execute(conn, "two"))
    going: list[tuple[str, str]] = []
    await allocating.fill(lambda conn: going.extend(runs.going_runs(conn)))
    assert going == [("main", "one")]
