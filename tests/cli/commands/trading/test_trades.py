"""`qmtl trades` reports all fills of an account or none, of the instruments that the account's venue has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import grpc
import pytest

from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import spot
from brokerage.market.context import MarketContext
from brokerage.market.service import InstrumentService
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.commands.trading.orders import SEARCH_MAX
from qmtl.cli.commands.trading.trades import instruments_of, require_whole
from qmtl.core.errors import InvalidRequest

VENUES = {"main": "binance", "second": "binance", "dry": "paper"}


def test_a_part_of_an_accounts_fills_is_no_report() -> None:
    fills = [orderpb.Fill()] * SEARCH_MAX
    assert require_whole(fills, "acc", "fills") is fills
    with pytest.raises(InvalidRequest, match="account acc has more than 100,000 fills") as caught:
        require_whole([*fills, orderpb.Fill()], "acc", "fills")
    assert caught.value.reason == "E_TOO_LARGE"


@pytest.fixture
async def stub() -> AsyncIterator[instrumentrpc.InstrumentServiceAsyncStub]:
    """Of a brokerage whose exchange lists what paper does not know, and coins in contracts of ten."""
    there = Instruments((), "binance")
    perp = instrument("PERP", base="COIN", quote="USDT", multiplier="10", lot="1")
    there.learn([perp, instrument("BTCUSDT", base="BTC", quote="USDT", lot="0.001", multiplier="10")])
    venues = {"binance": MarketContext(there, spot(), venue="binance")}
    server = grpc.aio.server()
    paper = MarketContext(Instruments((), "paper"), spot(), venues=venues)
    instrumentrpc.add_InstrumentServiceServicer_to_server(InstrumentService(paper), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield instrumentrpc.InstrumentServiceStub(channel)
    await server.stop(None)


async def test_instruments_are_those_of_each_accounts_venue(stub: instrumentrpc.InstrumentServiceAsyncStub) -> None:
    traded = {("main", "PERP"), ("main", "BTCUSDT"), ("second", "PERP"), ("dry", "AAPL")}
    found = await instruments_of(stub, VENUES, traded)
    multipliers = {symbol: one.multiplier for symbol, one in found.items()}
    assert multipliers == {"PERP": Decimal(10), "BTCUSDT": Decimal(10), "AAPL": Decimal(1)}


async def test_one_symbol_that_is_two_instruments_is_no_report(stub: instrumentrpc.InstrumentServiceAsyncStub) -> None:
    with pytest.raises(InvalidRequest, match=r"x 10 in lots of 0\.001 at binance and .* x 1 in lots of .* at paper"):
        await instruments_of(stub, VENUES, {("main", "BTCUSDT"), ("dry", "BTCUSDT")})
