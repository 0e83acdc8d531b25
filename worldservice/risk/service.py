"""RPCs of the risk hub: snapshots, reports, candidates, tests of forecasts, limits, breaches, exposures."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import QmtlError, refused
from qmtl.core.roles import Role
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import INT64_MAX, enum_from_proto, require_text
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.paging import page_from_proto, page_of
from worldservice.risk import answers
from worldservice.risk.access import (
    require_reader,
    require_writer,
    scope_of,
    scoped,
)
from worldservice.risk.account_limits import LimitsSender, limits_to_proto, put_limits
from worldservice.risk.domain.breaches.breach import Breach, BreachState, acknowledged
from worldservice.risk.domain.header import SnapshotHeader, SnapshotState
from worldservice.risk.domain.scope import NAME_MAX, Scope, account_scope
from worldservice.risk.domain.snapshot import RiskStage
from worldservice.risk.events import risk_breached
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.intake import SNAPSHOT_SIGNAL, Judge, Put, arrival, store_arrival
from worldservice.risk.reading import current_header, state_of
from worldservice.risk.store import account_limits, breaches, snapshots
from worldservice.risk.wire.reports import LIMIT_FIELDS, breach_to_proto
from worldservice.risk.wire.snapshots import header_to_proto, stage_filter
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, caller_of
from worldservice.worlds.watches import Watch
from worldservice.worlds.writes import AuditedServicer, Writes, audited, audited_as

WATCH_BATCH = 64
BUDGETS_MAX = 1_000


def _told(request: riskservicepb.PutSnapshotRequest) -> str:
    """What the audit log keeps of a put: the snapshot itself is kept whole, by its version."""
    sent = request.snapshot
    scope = request.world_id or f"account {request.account}"
    parts = f"{len(sent.weights)} weights, {len(sent.returns)} series, {len(sent.exposures)} exposures"
    return (
        f"snapshot {sent.version[:64]!r} of {scope[:80]!r} as of {sent.as_of.seconds}: {parts}, {sent.ByteSize()} bytes"
    )


class RiskServicer(AuditedServicer, riskrpc.RiskServiceServicer):
    """See risk_service.proto. Every number is derived here; producers only measure."""

    def __init__(self, writes: Writes, files: SnapshotFiles, sender: LimitsSender, judge: Judge) -> None:
        super().__init__(writes)
        self._files = files
        self._sender = sender
        self._judge = judge

    @audited_as(_told)
    async def PutSnapshot(
        self, request: riskservicepb.PutSnapshotRequest, act: Act
    ) -> riskservicepb.PutSnapshotResponse:
        scope = scope_of(request)
        act = scoped(act, scope)
        metrics = self.writes.metrics
        await self.writes.db.read(lambda conn: require_reader(conn, act.caller, scope, Role.OPERATOR))
        began = time.perf_counter()
        try:
            arrived = await asyncio.to_thread(arrival, request.snapshot, scope, act.actor, act.now, self._files)
        except QmtlError:
            metrics.risk_snapshots.labels("refused").inc()
            raise
        metrics.risk_report_seconds.observe(time.perf_counter() - began)

        def work(conn: Connection) -> tuple[Put, SnapshotState]:
            require_writer(conn, act, scope)
            put = store_arrival(conn, act, arrived, self._judge)
            return put, state_of(conn, put.header, act.now)

        put, state = await self.writes.db.write(work)
        metrics.risk_snapshots.labels("deduplicated" if put.deduplicated else "stored").inc()
        await self.writes.enforce(scope.name, put.effect)
        return riskservicepb.PutSnapshotResponse(
            header=header_to_proto(put.header, state), deduplicated=put.deduplicated
        )

    async def GetLatest(
        self, request: riskservicepb.GetLatestRequest, context: object
    ) -> riskservicepb.GetLatestResponse:
        caller, scope, now = caller_of(current_call()), scope_of(request), self.writes.clock.now()
        stage = stage_filter(request.stage, "stage")

        def work(conn: Connection) -> riskpb.RiskSnapshot:
            require_reader(conn, caller, scope)
            header = current_header(conn, scope, now, stage, request.actor)
            return answers.snapshot_message(conn, caller, header, now, self._files if request.expand else None)

        return riskservicepb.GetLatestResponse(snapshot=await self.writes.db.read(work))

    async def ListSnapshots(
        self, request: riskservicepb.ListSnapshotsRequest, context: object
    ) -> riskservicepb.ListSnapshotsResponse:
        caller, scope, page = caller_of(current_call()), scope_of(request), page_from_proto(request, (int, int))
        stage, now = stage_filter(request.stage, "stage"), self.writes.clock.now()

        def work(conn: Connection) -> list[tuple[SnapshotHeader, SnapshotState]]:
            require_reader(conn, caller, scope)
            found = snapshots.list_snapshots(conn, scope, stage, page)
            return [(header, state_of(conn, header, now)) for header in found]

        rows, info = page_of(
            await self.writes.db.read(work), page, lambda row: answers.place(row[0]), lambda row: header_to_proto(*row)
        )
        return riskservicepb.ListSnapshotsResponse(snapshots=rows, page=info)

    async def LookupSnapshot(
        self, request: riskservicepb.LookupSnapshotRequest, context: object
    ) -> riskservicepb.LookupSnapshotResponse:
        caller, scope, now = caller_of(current_call()), scope_of(request), self.writes.clock.now()
        stage, which = stage_filter(request.stage, "stage"), request.WhichOneof("which")
        if which is None:
            raise refused("E_FIELD", "which", "empty", "version or at")
        until = instant_from_proto(request.at, "at") if which == "at" else None

        def work(conn: Connection) -> riskpb.RiskSnapshot:
            require_reader(conn, caller, scope)
            if until is None:
                header = snapshots.find_header(conn, scope, request.version)
            else:
                header = snapshots.newest(conn, scope, stage, until=until)
            if header is None:
                raise snapshots.unknown(scope, request.version or f"at or before {until}")
            return answers.snapshot_message(conn, caller, header, now, self._files if request.expand else None)

        return riskservicepb.LookupSnapshotResponse(snapshot=await self.writes.db.read(work))

    async def WatchSnapshots(
        self, request: riskservicepb.WatchSnapshotsRequest, context: object
    ) -> AsyncIterator[riskservicepb.WatchSnapshotsResponse]:
        caller, scope, seen = caller_of(current_call()), scope_of(request), request.after_revision

        def begin(conn: Connection) -> list[riskpb.SnapshotHeader]:
            require_reader(conn, caller, scope)
            return self._headers(conn, snapshots.standing(conn, scope)) if seen == 0 else news(conn, seen)

        def news(conn: Connection, after: int) -> list[riskpb.SnapshotHeader]:
            return self._headers(conn, snapshots.after_revision(conn, scope, min(after, INT64_MAX), WATCH_BATCH))

        with Watch(self.writes, SNAPSHOT_SIGNAL, "watch again after the last revision") as watch:
            found = await self.writes.db.read(begin)
            while True:
                for header in found:
                    yield riskservicepb.WatchSnapshotsResponse(header=header)
                    seen = header.revision
                await watch.look(at_once=bool(found))
                found = await self.writes.db.read(partial(news, after=seen))

    async def GetReport(
        self, request: riskservicepb.GetReportRequest, context: object
    ) -> riskservicepb.GetReportResponse:
        caller, scope, now = caller_of(current_call()), scope_of(request), self.writes.clock.now()
        stage = stage_filter(request.stage, "stage")
        read = partial(answers.report_input, caller=caller, scope=scope, version=request.version, stage=stage, now=now)
        found = await self.writes.db.read(read)
        return await asyncio.to_thread(answers.report_answer, found, self._files)

    async def ExplainCandidate(
        self, request: riskservicepb.ExplainCandidateRequest, context: object
    ) -> riskservicepb.ExplainCandidateResponse:
        caller, scope, now = caller_of(current_call()), scope_of(request), self.writes.clock.now()
        stage = stage_filter(request.stage, "stage") or RiskStage.LIVE
        name = require_text(request.strategy_id, "strategy_id", 300)
        read = partial(answers.candidate_input, caller=caller, scope=scope, stage=stage, strategy_id=name, now=now)
        found = await self.writes.db.read(read)
        return await asyncio.to_thread(answers.candidate_answer, found, name, request.share, self._files)

    async def BacktestForecasts(
        self, request: riskservicepb.BacktestForecastsRequest, context: object
    ) -> riskservicepb.BacktestForecastsResponse:
        caller, scope, now = caller_of(current_call()), scope_of(request), self.writes.clock.now()
        stage = stage_filter(request.stage, "stage") or RiskStage.LIVE
        window = answers.window_of(request.window)
        read = partial(answers.backtest_input, caller=caller, scope=scope, stage=stage, window=window, now=now)
        found = await self.writes.db.read(read)
        return await asyncio.to_thread(answers.backtest_answer, found, self._files)

    @audited
    async def PutAccountLimits(
        self, request: riskservicepb.PutAccountLimitsRequest, act: Act
    ) -> riskservicepb.PutAccountLimitsResponse:
        scope = account_scope(require_text(request.account, "account", NAME_MAX))
        act = scoped(act, scope)
        reason = require_text(request.reason, "reason", 500)
        _check_limits(request.limits)

        def work(conn: Connection) -> None:
            require_writer(conn, act, scope, Role.OWNER)
            told = replace(act, request=f"{act.request} {reason}"[:500]) if reason not in act.request else act
            put_limits(conn, told, scope.name, request.limits, request.etag)

        await self.writes.db.write(work)
        await self._sender.push(scope.name, said=True)
        stored = await self.writes.db.read(lambda conn: account_limits.load_limits(conn, scope.name))
        return riskservicepb.PutAccountLimitsResponse(limits=limits_to_proto(stored))

    async def GetAccountLimits(
        self, request: riskservicepb.GetAccountLimitsRequest, context: object
    ) -> riskservicepb.GetAccountLimitsResponse:
        caller = caller_of(current_call())
        scope = account_scope(require_text(request.account, "account", NAME_MAX))

        def work(conn: Connection) -> riskpb.HubAccountLimits:
            require_reader(conn, caller, scope)
            return limits_to_proto(account_limits.load_limits(conn, scope.name))

        return riskservicepb.GetAccountLimitsResponse(limits=await self.writes.db.read(work))

    async def ListBreaches(
        self, request: riskservicepb.ListBreachesRequest, context: object
    ) -> riskservicepb.ListBreachesResponse:
        caller, scope, page = caller_of(current_call()), scope_of(request), page_from_proto(request, (int,))
        state = None
        if request.state:
            state = enum_from_proto(request.state, riskpb.BreachState, "BREACH_STATE_", BreachState, "state")

        def work(conn: Connection) -> list[Breach]:
            require_reader(conn, caller, scope)
            found = breaches.list_breaches(conn, scope, state, page)
            return answers.shown_breaches(conn, caller, scope, found)

        rows, info = page_of(await self.writes.db.read(work), page, lambda row: (row.sequence,), breach_to_proto)
        return riskservicepb.ListBreachesResponse(breaches=rows, page=info)

    @audited
    async def AcknowledgeBreach(
        self, request: riskservicepb.AcknowledgeBreachRequest, act: Act
    ) -> riskservicepb.AcknowledgeBreachResponse:
        scope, reason = Scope(f"world:{request.world_id}"), require_text(request.reason, "reason", 500)

        def work(conn: Connection) -> Breach:
            require_writer(conn, act, scope)
            before = breaches.get_breach(conn, scope, min(request.sequence, 2**62))
            after = acknowledged(before, act.actor, reason, act.now)
            if after is not before:
                breaches.save_breach(conn, after)
                outbox.append(conn, risk_breached(after, act))
            audit_write(conn, act, f"breach {after.sequence} of {after.rule}: {reason}")
            return after

        return riskservicepb.AcknowledgeBreachResponse(breach=breach_to_proto(await self.writes.db.write(work)))

    async def GetExposure(
        self, request: riskservicepb.GetExposureRequest, context: object
    ) -> riskservicepb.GetExposureResponse:
        caller, scope, now = caller_of(current_call()), scope_of(request), self.writes.clock.now()
        stage = stage_filter(request.stage, "stage")
        read: Callable[[Connection], riskservicepb.GetExposureResponse] = partial(
            answers.exposure_answer, caller=caller, scope=scope, stage=stage, now=now
        )
        return await self.writes.db.read(read)

    def _headers(self, conn: Connection, found: list[SnapshotHeader]) -> list[riskpb.SnapshotHeader]:
        now = self.writes.clock.now()
        return [header_to_proto(header, state_of(conn, header, now)) for header in found]


def _check_limits(limits: accountpb.AccountLimits) -> None:
    """Raises InvalidRequest (E_DECIMAL, E_FIELD) for what is no limit; brokerage checks places of its currency too."""
    if len(limits.budgets) > BUDGETS_MAX:
        raise refused("E_FIELD", "limits.budgets", len(limits.budgets), f"at most {BUDGETS_MAX:,}")
    given = [(f"limits.{name}", getattr(limits, name)) for name in LIMIT_FIELDS if getattr(limits, name)]
    seen = set()
    for at, budget in enumerate(limits.budgets):
        require_text(budget.world_id, f"limits.budgets[{at}].world_id", NAME_MAX)
        key = (budget.world_id, budget.strategy_id)
        if key in seen:
            raise refused("E_FIELD", f"limits.budgets[{at}]", "a world and strategy twice", "one budget for each")
        seen.add(key)
        given.append((f"limits.budgets[{at}].gross_max", budget.gross_max))
        if budget.capital:
            raise refused("E_FIELD", f"limits.budgets[{at}].capital", budget.capital, "none: it is made of shares")
    for field, text in given:
        if parse_decimal(text, field) < 0:
            raise refused("E_DECIMAL", field, text, "0 or more")
