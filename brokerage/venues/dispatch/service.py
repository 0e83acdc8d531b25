"""ReportedFillService: fills that were reported from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from brokerage.market.context import MarketContext
from brokerage.venues.dispatch.reported_fills import book_fills, report_from_proto
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.broker.v1 import reported_fill_service_pb2_grpc as reportedfillrpc
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.rpc.auth.call import require_world
from qmtl.sql.database import Database


class ReportedFillService(reportedfillrpc.ReportedFillServiceServicer):
    """Books each message in one transaction."""

    def __init__(self, db: Database, market: MarketContext, clock: Clock) -> None:
        self._db = db
        self._market = market
        self._clock = clock

    async def BookFills(
        self, request_iterator: AsyncIterator[reportedfillservicepb.BookFillsRequest], context: object
    ) -> reportedfillservicepb.BookFillsResponse:
        booked = duplicates = 0
        async for request in request_iterator:
            reports = [report_from_proto(fill, index) for index, fill in enumerate(request.fills)]
            for report in reports:
                require_world(report.name.owner.world_id)
            book = partial(book_fills, market=self._market, reported=reports, now_ns=to_ns(self._clock.now()))
            new, known = await self._db.write(book)
            booked, duplicates = booked + new, duplicates + known
        return reportedfillservicepb.BookFillsResponse(booked=booked, duplicates=duplicates)
