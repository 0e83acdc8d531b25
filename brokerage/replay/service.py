"""ReplayService: order lists over sealed data, each in a process of its own, and books of paper accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from brokerage.market.context import MarketContext
from brokerage.replay.bars import SealedBars
from brokerage.replay.books import booked_orders, load_books, query_from_proto, valued
from brokerage.replay.data import PlayedSpan, SealedData
from brokerage.replay.process import ReplayProcess
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Exhausted, refused
from qmtl.rpc.auth.call import current_call, require_stated
from qmtl.rpc.chunks import gathered
from qmtl.sql.database import Database
from qmtl.wire.instants import ns_to_proto

BARS_MAX = 4_000_000
"""Bars of all symbols of one replay: some 200 bytes each while they are turned into exact integers."""

BOOKS_BARS_MAX = 1_000_000
"""Bars of all symbols that books are valued at, as columns: live orders share the interpreter."""

WAIT_SHARE = 0.25
"""Of the time that a caller has left, for the turns of others."""


@dataclass(frozen=True, slots=True)
class ReplayBounds:
    """What one replay may take. `looks`: at closes and open orders, each bar with a bracket's exits open."""

    looks: int = 4 * BARS_MAX
    memory_bytes: int = 6 << 30  # of addresses; libraries alone have 2 GiB of them
    seconds: float = 600.0


class ReplayService(replayrpc.ReplayServiceServicer):
    """Order lists as evaluations replay them. Live orders share no interpreter with them."""

    def __init__(
        self, market: MarketContext, sealed: SealedData, db: Database, bounds: ReplayBounds = ReplayBounds()
    ) -> None:
        self._market = replace(market, venues={})  # of replays, which are sent to their processes
        self._venues = market
        self._sealed = sealed
        self._db = db
        self._bounds = bounds
        self._turn = asyncio.Semaphore(1)

    async def ReplayOrders(
        self, request_iterator: AsyncIterator[replayservicepb.ReplayOrdersRequest], context: object
    ) -> AsyncIterator[replayservicepb.ReplayOrdersResponse]:
        said = require_stated()
        message = await gathered(request_iterator, said, replaypb.OrderReplay)
        said.check_worlds([message.world_id])
        await self._take_turn()
        try:
            async with asyncio.timeout(self._bounds.seconds):
                parts = await self._run(message)
        except TimeoutError:
            most = f"a replay of at most {self._bounds.seconds:g} s: fewer bars or fewer orders"
            raise refused("E_TOO_LARGE", "orders", "more than can be done in time", most) from None
        finally:
            self._turn.release()
        for part in parts:
            yield replayservicepb.ReplayOrdersResponse.FromString(part)

    async def ReplayBooks(
        self, request: replayservicepb.ReplayBooksRequest, context: object
    ) -> AsyncIterator[replayservicepb.ReplayBooksResponse]:
        query = query_from_proto(request)
        books = await self._db.read(lambda conn: load_books(conn, self._venues, query))
        market = self._venues.of(books.account)
        span = commonpb.TimeRange(start=request.start, end=ns_to_proto(max(query.start_ns, books.end_ns)))
        bars: list[SealedBars] = []
        for feed in books.feeds:
            room = BOOKS_BARS_MAX - sum(one.rows for one in bars)
            played = PlayedSpan(query.owner.world_id, span)
            told = await self._sealed.played(feed.preset, feed.session_id, played, room)
            bars.append(replace(told, instrument=market.instruments.find(told.instrument.symbol) or told.instrument))
        for sent in await asyncio.to_thread(booked_orders, books, bars):
            yield sent
        for part in await asyncio.to_thread(valued, market, books, bars):
            yield replayservicepb.ReplayBooksResponse(part=part)

    async def _take_turn(self) -> None:
        """Wait for a share of the caller's time. Raises Exhausted (E_OVERLOADED): what others take is not held against
        this list.
        """
        left = current_call().remaining_s()
        patience_s = self._bounds.seconds if left is None else WAIT_SHARE * left
        try:
            async with asyncio.timeout(patience_s):
                await self._turn.acquire()
        except TimeoutError:
            told = f"other replays took the {patience_s:.3g} s that this one could wait"
            raise Exhausted("E_OVERLOADED", told, retry_after_s=1.0) from None

    async def _run(self, message: replaypb.OrderReplay) -> list[bytes]:
        async with ReplayProcess(self._bounds.looks, self._bounds.memory_bytes) as process:
            await process.send((self._market, message.SerializeToString()))
            fingerprints = await process.fingerprints()
            span = message.range if message.HasField("range") else None
            for bars in await self._bars(fingerprints, span):
                await process.send(replace(bars, parts=()))
                for part in bars.parts:
                    await process.send(part)
                await process.send(None)
            await process.send(None)
            return await process.parts()

    async def _bars(self, fingerprints: tuple[str, ...], span: commonpb.TimeRange | None) -> list[SealedBars]:
        found: list[SealedBars] = []
        for fingerprint in fingerprints:
            room = BARS_MAX - sum(one.rows for one in found)
            found.append(await self._sealed.read(fingerprint, span, room))
        return found
