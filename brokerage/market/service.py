"""InstrumentService: symbol properties by venue."""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from brokerage.market.context import MarketContext
from brokerage.market.wire import instrument_to_proto
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.core.errors import NotFound
from qmtl.wire.paging import page_from_proto, page_of


class InstrumentService(instrumentrpc.InstrumentServiceServicer):
    """Tells the instruments of every venue."""

    def __init__(self, market: MarketContext) -> None:
        self._market = market

    async def GetInstrument(
        self, request: instrumentservicepb.GetInstrumentRequest, context: object
    ) -> instrumentservicepb.GetInstrumentResponse:
        market = self._market.at(request.venue)
        found = market.instruments.find(request.symbol)
        if found is None:
            raise NotFound(
                "E_INSTRUMENT_UNKNOWN",
                f"no properties of {request.symbol[:80]!r} are known at {market.venue}",
                hint="add it to the symbols of the venue, or to [brokerage.instruments], in qmtl.toml",
            )
        return instrumentservicepb.GetInstrumentResponse(instrument=_told(market, found))

    async def ListInstruments(
        self, request: instrumentservicepb.ListInstrumentsRequest, context: object
    ) -> instrumentservicepb.ListInstrumentsResponse:
        market = self._market.at(request.venue)
        page = page_from_proto(request, (str,))
        after = "" if page.after is None else page.after[0]
        rest = [found for found in market.instruments.listed() if found.symbol > after]
        shown, info = page_of(
            rest[: page.size + 1],
            page,
            lambda found: (found.symbol,),
            lambda found: _told(market, found),
        )
        return instrumentservicepb.ListInstrumentsResponse(instruments=shown, page=info)


def _told(market: MarketContext, found: Instrument) -> instrumentpb.Instrument:
    return instrument_to_proto(found, market.venue, market.instruments.source(found.symbol))
