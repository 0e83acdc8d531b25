"""Instruments as the mesh's brokerage has them."""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.instruments import instrument_from_proto


async def instrument_of(retrying: RetryingClient, symbol: str, venue: str = "") -> Instrument:
    """The properties of a symbol at a venue; empty: on paper. Raises NotFound (E_INSTRUMENT_UNKNOWN)."""
    request = instrumentservicepb.GetInstrumentRequest(symbol=symbol, venue=venue)
    reply = await retrying.ask(lambda: retrying.client.instruments.GetInstrument(request), "instrument")
    return instrument_from_proto(reply.instrument)
