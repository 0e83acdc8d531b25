"""Shares and budgets over a real wire and store, beside a brokerage that keeps its rules."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.allocation.accounts import AccountsWithBooks, reason_of
from tests.worldservice.allocation.requests import PB, change, scaled, traded, upsert
from tests.worldservice.harness import WorldHarness, eventually
from tests.worldservice.risk.books import book, message_of, series, snapshot_of
from worldservice.allocation.store import sets


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


async def test_a_proposal(allocating: WorldHarness, accounts: AccountsWithBooks) -> None:
    ann = await traded(allocating, accounts)
    await _hub_is_silent(allocating, accounts, ann)
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


async def _hub_is_silent(allocating: WorldHarness, accounts: AccountsWithBooks, ann: WorldStubs) -> None:
    """A hub that is silent stops no rebalance: its plan says why its risk is not known."""
    plan, propose = PB.PlanRebalanceRequest(rebalance=scaled("0.5")), PB.ProposeAllocationsRequest(account="main")
    propose.method = allocationpb.PROPOSAL_METHOD_INVERSE_VOL

    async def told() -> tuple[list[str], str]:
        accounts.mark = ("60000", allocating.clock.now())
        shown = (await ann.allocations.PlanRebalance(plan)).plan
        assert len(shown.orders) == 2
        unknown = [each.rpartition("RISK_UNKNOWN: ")[2].partition(":")[0] for each in shown.warnings if "RISK" in each]
        assert bool(shown.risk_snapshot) is bool(shown.risk_before) is not bool(unknown)
        return unknown, shown.risk_snapshot

    assert await told() == (["E_SNAPSHOT_MISSING"], "")
    assert await reason_of(ann.allocations.ProposeAllocations(propose)) == "E_SNAPSHOT_MISSING"
    weights, returns = book(2, 120, 1)
    last = allocating.clock.now().date() - timedelta(days=1)
    named = {name: f"w1/s{number + 1}" for number, name in enumerate(weights)}
    message = message_of(snapshot_of(
        {named[name]: share for name, share in weights.items()},
        {named[name]: series(one.values, last) for name, one in returns.items()}, "account:main", "v1",
    ))  # fmt: skip
    message.as_of.FromDatetime(allocating.clock.now())
    await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(account="main", snapshot=message))
    assert await told() == ([], "v1")
    assert len((await ann.allocations.ProposeAllocations(propose)).strategies) == 2
    allocating.clock.advance(900.0)
    assert await told() == (["E_SNAPSHOT_EXPIRED"], "")
    assert await reason_of(ann.allocations.ProposeAllocations(propose)) == "E_SNAPSHOT_EXPIRED"
