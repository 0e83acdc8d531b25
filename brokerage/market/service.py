"""InstrumentService: symbol properties as the brokerage is set up with them."""

from __future__ import annotations

from brokerage.domain.market.symbols import Instruments
from brokerage.market.wire import instrument_to_proto
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.core.errors import NotFound
from qmtl.wire.paging import page_from_proto, page_of


class InstrumentService(instrumentrpc.InstrumentServiceServicer):
    """Tells instruments of the one venue there is."""

    def __init__(self, instruments: Instruments, venue: str) -> None:
        self._instruments = instruments
        self._venue = venue

    async def GetInstrument(
        self, request: instrumentservicepb.GetInstrumentRequest, context: object
    ) -> instrumentservicepb.GetInstrumentResponse:
        self._require_venue(request.venue)
        found = self._instruments.find(request.symbol)
        if found is None:
            raise NotFound(
                "E_INSTRUMENT_UNKNOWN",
                f"no properties of {request.symbol[:80]!r} are known",
                hint=f'add [brokerage.instruments."{request.symbol[:80]}"] with base and quote to qmtl.toml',
            )
        configured = self._instruments.is_configured(found.symbol)
        return instrumentservicepb.GetInstrumentResponse(instrument=instrument_to_proto(found, self._venue, configured))

    async def ListInstruments(
        self, request: instrumentservicepb.ListInstrumentsRequest, context: object
    ) -> instrumentservicepb.ListInstrumentsResponse:
        self._require_venue(request.venue)
        page = page_from_proto(request, (str,))
        after = "" if page.after is None else page.after[0]
        rest = [found for found in self._instruments.listed() if found.symbol > after]
        shown, info = page_of(
            rest[: page.size + 1],
            page,
            lambda found: (found.symbol,),
            lambda found: instrument_to_proto(found, self._venue, self._instruments.is_configured(found.symbol)),
        )
        return instrumentservicepb.ListInstrumentsResponse(instruments=shown, page=info)

    def _require_venue(self, name: str) -> None:
        if name not in ("", self._venue):
            raise NotFound("E_VENUE_UNKNOWN", f"no venue {name!r}, there is {self._venue!r}")
