"""RPCs of divergence reports."""

from __future__ import annotations

from sqlalchemy import Connection

from qmtl.core.errors import NotFound
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import require_text
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import divergence_service_pb2_grpc as divergencerpc
from worldservice.campaigns.reports import store
from worldservice.campaigns.reports.making import ReportMaker
from worldservice.campaigns.reports.wire import Source, features_from_proto, head_of
from worldservice.worlds.acts import Act, caller_of, world_to_read
from worldservice.worlds.domain.binding import require_strategy_id
from worldservice.worlds.writes import AuditedServicer, audited


class DivergenceServicer(AuditedServicer, divergencerpc.DivergenceServiceServicer):
    """See divergence_service.proto."""

    def __init__(self, maker: ReportMaker) -> None:
        super().__init__(maker.writes)
        self._maker = maker

    @audited
    async def CreateDivergenceReport(
        self, request: divergenceservicepb.CreateDivergenceReportRequest, act: Act
    ) -> divergenceservicepb.CreateDivergenceReportResponse:
        require_strategy_id(request.strategy_id)
        source = Source(
            act.world_id,
            request.strategy_id,
            require_text(request.order_list, "order_list"),
            require_text(request.account, "account"),
            require_text(request.session_id, "session_id"),
            features=features_from_proto(request.features),
            capital=request.capital,
            start=instant_from_proto(request.start, "start") if request.HasField("start") else None,
        )
        return divergenceservicepb.CreateDivergenceReportResponse(report=await self._maker.made(act, source))

    async def GetDivergenceReport(
        self, request: divergenceservicepb.GetDivergenceReportRequest, context: object
    ) -> divergenceservicepb.GetDivergenceReportResponse:
        caller = caller_of(current_call())
        require_strategy_id(request.strategy_id)

        def work(conn: Connection) -> divergencepb.DivergenceReport:
            world = world_to_read(conn, caller, request.world_id)
            found = store.find_report(conn, world.world_id, request.strategy_id, request.report_id)
            if found is None:
                which = f" {request.report_id[:80]!r}" if request.report_id else ""
                told = f"strategy {request.strategy_id} has no report{which} in world {world.world_id}"
                hint = f"qmtl campaign report {world.world_id} {request.strategy_id} --code FILE makes one"
                raise NotFound("E_DIVERGENCE_UNKNOWN", told, hint=hint)
            return found

        return divergenceservicepb.GetDivergenceReportResponse(report=await self.writes.db.read(work))

    async def ListDivergenceReports(
        self, request: divergenceservicepb.ListDivergenceReportsRequest, context: object
    ) -> divergenceservicepb.ListDivergenceReportsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (int,))

        def work(conn: Connection) -> list[tuple[int, divergencepb.DivergenceReport]]:
            world = world_to_read(conn, caller, request.world_id)
            return store.list_reports(conn, world.world_id, request.strategy_id, page)

        found = await self.writes.db.read(work)
        shown, info = page_of(found, page, lambda row: (row[0],), lambda row: head_of(row[1]))
        return divergenceservicepb.ListDivergenceReportsResponse(reports=shown, page=info)
