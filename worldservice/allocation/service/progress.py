"""RPCs of those who execute runs: start, stop, report. Users come through the gateway, executors for themselves."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection

from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.core.errors import InvalidRequest, NotReady, refused
from qmtl.core.roles import Role
from qmtl.sql.database import signal
from qmtl.wire.fields import enum_from_proto, require_text
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb
from qmtl.world.v1 import rebalance_progress_service_pb2_grpc as rebalancerpc
from worldservice.allocation.broker_accounts import BrokerAccounts, ended_symbols
from worldservice.allocation.domain.amounts import fraction_of
from worldservice.allocation.domain.run import (
    LegProgress,
    Report,
    Run,
    RunState,
    canceled,
    reported,
    slippage_bps,
    started,
)
from worldservice.allocation.events import rebalance_state_changed
from worldservice.allocation.service.access import account_to_write, of_account, shown_run
from worldservice.allocation.store import runs
from worldservice.allocation.wire.plan import run_to_proto
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, unread_worlds
from worldservice.worlds.writes import AuditedServicer, Writes, audited

ENDS = (RunState.COMPLETED, RunState.PARTIAL, RunState.CANCELED)
REASONS_MAX, REASON_MAX = 101, 1_000


class RebalanceProgressServicer(AuditedServicer, rebalancerpc.RebalanceProgressServiceServicer):
    """See rebalance_progress_service.proto."""

    def __init__(self, writes: Writes, broker: BrokerAccounts) -> None:
        super().__init__(writes)
        self._broker = broker

    @audited
    async def StartRebalance(
        self, request: progressservicepb.StartRebalanceRequest, act: Act
    ) -> progressservicepb.StartRebalanceResponse:
        """Looks at the account once more: a plan whose legs have moved, or whose session is over, is not executed."""
        act, account = of_account(act, request.account), require_text(request.account, "account")
        found = await self.writes.db.read(lambda conn: runs.get_run(conn, account, request.run_id))
        if found.run.state is RunState.RECORDED:
            plan = rebalancepb.RebalancePlan.FromString(found.plan)
            portfolio = await self._broker.portfolio(account)
            _check_positions(plan, portfolio)
            _check_sessions(plan, portfolio)

        def work(conn: Connection) -> Run:
            known = runs.get_run(conn, account, request.run_id, lock=True).run
            account_to_write(conn, act, account, known.world_ids, Role.OPERATOR)
            return _store(conn, act, known, started(known, act.actor, act.now, allow_live=request.allow_live))

        run = await self.writes.db.write(work)
        return progressservicepb.StartRebalanceResponse(run=self._told(run, found.run))

    @audited
    async def StopRebalance(
        self, request: progressservicepb.StopRebalanceRequest, act: Act
    ) -> progressservicepb.StopRebalanceResponse:
        act, account = of_account(act, request.account), require_text(request.account, "account")

        def work(conn: Connection) -> tuple[Run, Run, frozenset[str]]:
            known = runs.get_run(conn, account, request.run_id, lock=True).run
            account_to_write(conn, act, account, (), Role.OPERATOR)
            hidden = unread_worlds(conn, act.caller, known.world_ids)
            return known, _store(conn, act, known, canceled(known, act.actor, act.now)), hidden

        known, run, hidden = await self.writes.db.write(work)
        return progressservicepb.StopRebalanceResponse(run=shown_run(self._told(run, known), hidden))

    @audited
    async def ReportRebalance(
        self, request: progressservicepb.ReportRebalanceRequest, act: Act
    ) -> progressservicepb.ReportRebalanceResponse:
        act, account = of_account(act, request.account), require_text(request.account, "account")
        report = _report_from_proto(request)

        def work(conn: Connection) -> tuple[Run, Run, list[Fraction]]:
            found = runs.get_run(conn, account, request.run_id, lock=True)
            plan = rebalancepb.RebalancePlan.FromString(found.plan)
            if len(report.progress) != len(plan.legs):
                raise refused("E_FIELD", "progress", str(len(report.progress)), f"one a leg, {len(plan.legs)}")
            marks = [fraction_of(leg.mark_price or "0", "mark_price") for leg in plan.legs]
            return found.run, _store(conn, act, found.run, reported(found.run, report, act.now)), marks

        known, run, marks = await self.writes.db.write(work)
        if run.is_closed and not known.is_closed:
            for each, mark in zip(run.progress, marks, strict=True):
                if (slipped := slippage_bps(each, mark)) is not None:
                    self.writes.metrics.rebalance_slippage.observe(float(slipped))
        return progressservicepb.ReportRebalanceResponse(run=self._told(run, known))

    async def ListGoingRebalances(
        self, request: progressservicepb.ListGoingRebalancesRequest, context: object
    ) -> progressservicepb.ListGoingRebalancesResponse:
        def work(conn: Connection) -> list[Run]:
            return [runs.get_run(conn, account, run_id).run for account, run_id in runs.going_runs(conn)]

        found = await self.writes.db.read(work)
        return progressservicepb.ListGoingRebalancesResponse(runs=[run_to_proto(run) for run in found])

    def _told(self, run: Run, before: Run) -> rebalancepb.RebalanceRun:
        if run.state is not before.state:
            self.writes.metrics.rebalance_runs.labels(run.state.value).inc()
        return run_to_proto(run)


def _store(conn: Connection, act: Act, before: Run, after: Run) -> Run:
    """Store a run that changed; its event and its audit row tell of another state."""
    if after == before:
        return after
    runs.save_run(conn, after)
    if after.state is not before.state:
        outbox.append(conn, rebalance_state_changed(run_to_proto(after), act))
        audit_write(conn, act, f"rebalance {after.run_id} {after.state.value} {'; '.join(after.reasons)}".rstrip())
    signal(conn, runs.REBALANCE_SIGNAL)
    return after


def _check_sessions(plan: rebalancepb.RebalancePlan, portfolio: portfoliopb.Portfolio) -> None:
    """Raises NotReady (E_NO_BARS_LEFT) where an order's session on paper has ended: it would wait for ever."""
    if over := sorted(ended_symbols(portfolio) & {each.symbol for each in plan.orders if Decimal(each.quantity)}):
        raise NotReady(
            "E_NO_BARS_LEFT",
            f"the session that brings {', '.join(over)} has ended: no order in it would ever fill",
            hint="begin another session of the world, then plan and apply again",
        )


def _check_positions(plan: rebalancepb.RebalancePlan, portfolio: portfoliopb.Portfolio) -> None:
    """Raises NotReady (E_PLAN_STALE) where a position moved by more than a lot since the plan."""
    held = {(each.world_id, each.strategy_id, each.symbol): Decimal(each.quantity) for each in portfolio.positions}
    for order in plan.orders:
        for index in order.legs:
            leg = plan.legs[index]
            now = held.get((leg.world_id, leg.strategy_id, leg.symbol), Decimal(0))
            if abs(now - Decimal(leg.quantity)) > Decimal(order.lot):
                raise NotReady(
                    "E_PLAN_STALE",
                    f"{leg.world_id}/{leg.strategy_id} holds {now} {leg.symbol}, the plan had {leg.quantity}",
                    hint="plan and apply again",
                )


def _report_from_proto(request: progressservicepb.ReportRebalanceRequest) -> Report:
    """Raises InvalidRequest (E_ENUM, E_FIELD, E_DECIMAL)."""
    if request.epoch < 1 or len(request.reasons) > REASONS_MAX:
        raise InvalidRequest("E_FIELD", f"epoch {request.epoch}, {len(request.reasons)} reasons: want 1 or more, 100")
    end = None
    if request.end:
        end = enum_from_proto(request.end, rebalancepb.RebalanceState, "REBALANCE_STATE_", RunState, "end")
        if end not in ENDS:
            raise refused("E_ENUM", "end", end.value, "COMPLETED, PARTIAL or CANCELED")
    progress = tuple(_progress(each, f"progress[{index}]") for index, each in enumerate(request.progress))
    return Report(request.epoch, progress, end, tuple(reason[:REASON_MAX] for reason in request.reasons))


def _progress(message: rebalancepb.LegProgress, path: str) -> LegProgress:
    def number(name: str, text: str) -> Fraction:
        return fraction_of(text, f"{path}.{name}") if text else Fraction(0)

    fees = tuple((currency, number("fees", fee)) for currency, fee in sorted(message.fees.items()))
    return LegProgress(
        number("filled", message.filled), number("notional", message.notional), fees, message.reason[:REASON_MAX]
    )
