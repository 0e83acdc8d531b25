"""Plans and runs over a real wire and store, beside a brokerage that keeps its rules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.errors import NotReady
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.worldservice.allocation.accounts import AccountsWithBooks, reason_of
from tests.worldservice.allocation.requests import PB, change, scaled, traded, upsert
from tests.worldservice.harness import WorldHarness
from worldservice.allocation.domain.run import RunState, moved
from worldservice.allocation.store import runs
from worldservice.tables import outbox


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
