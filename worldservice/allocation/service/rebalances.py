"""RPCs of rebalancing plans and runs. Plans are reads; a run is recorded and waits for who executes it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, NotReady, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.sql.database import signal
from qmtl.wire.fields import require_text
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from worldservice.allocation.domain.amounts import text_of
from worldservice.allocation.domain.plan import Plan
from worldservice.allocation.domain.run import Run, RunState, expired
from worldservice.allocation.domain.trading.netting import residual_lots
from worldservice.allocation.events import rebalance_state_changed, rebalancing_planned
from worldservice.allocation.hub import PlanRisk
from worldservice.allocation.planning import Planner
from worldservice.allocation.service.access import (
    account_to_read,
    account_to_write,
    of_account,
    shown_run,
    worlds_to_read,
)
from worldservice.allocation.store import runs, sets
from worldservice.allocation.store.runs import Recorded
from worldservice.allocation.wire.plan import plan_to_proto, run_to_proto
from worldservice.allocation.wire.request import WantedPlan, wanted_from_proto
from worldservice.allocation.wire.risk import with_risk
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, caller_of, unread_worlds
from worldservice.worlds.watches import Watch
from worldservice.worlds.writes import AuditedServicer, Writes, audited

REASON_MAX = 500
_RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class RebalanceRpcs(AuditedServicer):
    """What a plan trades and what became of it."""

    def __init__(self, writes: Writes, planner: Planner) -> None:
        AuditedServicer.__init__(self, writes)
        self.planner = planner

    async def PlanRebalance(
        self, request: allocationservicepb.PlanRebalanceRequest, context: object
    ) -> allocationservicepb.PlanRebalanceResponse:
        """Reads only."""
        wanted, caller = wanted_from_proto(request.rebalance), caller_of(current_call())
        await self.writes.db.read(lambda conn: account_to_read(conn, caller, wanted.account))
        plan = await self.planner.plan(wanted, self.writes.clock.now())
        worlds = _worlds_of(wanted, plan)
        await self.writes.db.read(lambda conn: worlds_to_read(conn, caller, worlds))
        risk = await self.planner.risk(plan, self.writes.clock.now())
        return allocationservicepb.PlanRebalanceResponse(
            plan=with_risk(plan_to_proto(plan, wanted.approach, wanted.slice_interval), risk)
        )

    @audited
    async def ApplyRebalance(
        self, request: allocationservicepb.ApplyRebalanceRequest, act: Act
    ) -> allocationservicepb.ApplyRebalanceResponse:
        """Plans again, compares, records. The same request again has the run as it stands."""
        wanted, act = wanted_from_proto(request.rebalance), of_account(act, request.rebalance.account)
        if not _RUN_ID.fullmatch(request.run_id):
            raise refused("E_FIELD", "run_id", repr(request.run_id[:40]), "[a-z0-9][a-z0-9-]{0,31}")
        reason = require_text(request.reason, "reason", REASON_MAX)
        closes = sorted(set(request.closes))
        content = f"{wanted.content} {request.plan_hash} {','.join(closes)} {reason}"
        known = await self.writes.db.read(lambda conn: _known(conn, act, wanted.account, request.run_id, content))
        if known is None:
            plan = await self.planner.plan(wanted, act.now)
            if plan.plan_hash != request.plan_hash:
                raise Conflict(
                    "E_PLAN_MOVED",
                    f"the plan of account {wanted.account} is {plan.plan_hash} now, got {request.plan_hash[:80]}",
                    hint="plan again and look at what moved",
                )
            if closes != list(plan.closes):
                raise NotReady(
                    "E_CLOSES_UNSAID",
                    f"closes is {closes}, want {list(plan.closes)}, which the plan closes and the set after omits",
                    hint="name it in the set, or say that it is meant to be closed",
                )
            risk = await self.planner.risk(plan, act.now)
            asked = _asked(request, wanted, (plan, risk), act, content)
            known = await self.writes.db.write(lambda conn: _record(conn, act, asked, plan))
            self._count(plan)
        return allocationservicepb.ApplyRebalanceResponse(run=run_to_proto(known.run, known.request, known.plan))

    async def GetRebalance(
        self, request: allocationservicepb.GetRebalanceRequest, context: object
    ) -> allocationservicepb.GetRebalanceResponse:
        found = await self._shown(request.account, request.run_id)
        return allocationservicepb.GetRebalanceResponse(run=run_to_proto(found.run, found.request, found.plan))

    async def ListRebalances(
        self, request: allocationservicepb.ListRebalancesRequest, context: object
    ) -> allocationservicepb.ListRebalancesResponse:
        account, caller = require_text(request.account, "account"), caller_of(current_call())
        page, now = page_from_proto(request, (int,)), self.writes.clock.now()

        def work(conn: Connection) -> tuple[list[Recorded], frozenset[str]]:
            account_to_read(conn, caller, account)
            found = list(runs.list_runs(conn, account, page))
            return found, unread_worlds(conn, caller, {one for each in found for one in each.run.world_ids})

        rows, hidden = await self.writes.db.read(work)
        shown, info = page_of(
            rows,
            page,
            lambda found: (found.sequence,),
            lambda found: shown_run(run_to_proto(expired(found.run, now)), hidden),
        )
        return allocationservicepb.ListRebalancesResponse(runs=shown, page=info)

    async def WatchRebalance(
        self, request: allocationservicepb.WatchRebalanceRequest, context: object
    ) -> AsyncIterator[allocationservicepb.WatchRebalanceResponse]:
        seen = request.after_revision
        with Watch(self.writes, runs.REBALANCE_SIGNAL, "watch again after the last revision") as watch:
            while True:
                await watch.look()
                found = await self._shown(request.account, request.run_id)
                if found.run.revision > seen:
                    seen = found.run.revision
                    yield allocationservicepb.WatchRebalanceResponse(
                        run=run_to_proto(found.run, found.request, found.plan)
                    )
                if found.run.is_closed:
                    return

    async def _shown(self, account: str, run_id: str) -> Recorded:
        caller, now = caller_of(current_call()), self.writes.clock.now()

        def work(conn: Connection) -> Recorded:
            account_to_read(conn, caller, account)
            found = runs.get_run(conn, account, run_id)
            worlds_to_read(conn, caller, found.run.world_ids)
            return found

        found = await self.writes.db.read(work)
        return replace(found, run=expired(found.run, now))

    def _count(self, plan: Plan) -> None:
        self.writes.metrics.rebalance_runs.labels(RunState.RECORDED.value).inc()
        self.writes.metrics.rebalance_residual.set(float(residual_lots(plan.orders)))
        for row in plan.dropped:
            self.writes.metrics.legs_dropped.labels(row.reasons[-1].value).inc()


def _worlds_of(wanted: WantedPlan, plan: Plan) -> tuple[str, ...]:
    """Worlds that the request names or that have legs, by name."""
    named = {*wanted.explicit.worlds, *(owner.world_id for owner in wanted.explicit.strategies)}
    return tuple(sorted({*named, *(row.leg.owner.world_id for row in plan.legs)}))


def _known(conn: Connection, act: Act, account: str, run_id: str, content: str) -> Recorded | None:
    """The run of an earlier request. Raises Conflict (E_RUN_CONFLICT), PermissionDenied."""
    account_to_write(conn, act, account, (), Role.OPERATOR)
    found = runs.find_run(conn, account, run_id)
    if found is not None and found.run.content != content:
        raise Conflict("E_RUN_CONFLICT", f"run {run_id} of account {account} was another plan")
    return None if found is None else replace(found, run=expired(found.run, act.now))


def _asked(
    request: allocationservicepb.ApplyRebalanceRequest,
    wanted: WantedPlan,
    planned: tuple[Plan, PlanRisk],
    act: Act,
    content: str,
) -> Recorded:
    plan, risk = planned
    run = Run(
        wanted.account, request.run_id, RunState.RECORDED, 1, plan.plan_hash, content, request.reason, act.actor,
        act.now, plan.valid_until, _worlds_of(wanted, plan),
    )  # fmt: skip
    told = with_risk(plan_to_proto(plan, wanted.approach, wanted.slice_interval), risk)
    return Recorded(run, request.rebalance.SerializeToString(deterministic=True), told.SerializeToString())


def _record(conn: Connection, act: Act, asked: Recorded, plan: Plan) -> Recorded:
    sets.lock_account(conn, asked.run.account)
    account_to_write(conn, act, asked.run.account, asked.run.world_ids, Role.OPERATOR)
    again = _known(conn, act, asked.run.account, asked.run.run_id, asked.run.content)
    if again is not None:
        return again
    newest = sets.newest_set(conn, asked.run.account)
    two_person = newest is not None and newest.terms.two_person
    run = replace(asked.run, two_person=two_person)
    recorded = replace(asked, run=run)
    runs.insert_run(conn, recorded)
    marks = sorted({f"{row.leg.symbol} {text_of(row.leg.mark.price, 18)}" for row in plan.legs})
    audit_write(conn, act, f"rebalance {run.run_id} plan {run.plan_hash}, marks {', '.join(marks)}: {run.reason}")
    drafts = [
        rebalancing_planned(run_to_proto(run, recorded.request, recorded.plan), act),
        rebalance_state_changed(run_to_proto(run), act),
    ]
    outbox.append_all(conn, drafts)
    signal(conn, runs.REBALANCE_SIGNAL)
    return recorded
