"""The paper venue: follows the live bars of every feed that an account uses and shows them to the books.

One process of a store drives it. Where a feed stands is stored with what its bars did, so after a kill it asks for the
bars that follow and skips those it has had. In a replay it confirms bars after their commit, so the session does not
run away from a venue that was killed. It never fills from a bar that seamless did not deliver.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import numpy as np
import structlog
from grpc import aio
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.commit_notices import Pulse
from brokerage.domain.market.bars import Bar, bar_from_doubles
from brokerage.domain.market.ticks import Tick
from brokerage.domain.market.volumes import volume_in_base
from brokerage.domain.models.corporate import Ending
from brokerage.feeds import show as feeds_show
from brokerage.feeds.endings import end_symbol
from brokerage.feeds.metrics import FeedMetrics
from brokerage.feeds.ticks import tick_from_proto
from brokerage.market.context import MarketContext
from brokerage.venues.dispatch.dispatcher import Dispatcher
from brokerage.venues.paper.venue import PaperVenue
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, QmtlError, Unavailable, refused
from qmtl.core.instants import to_ns
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.sql.database import Database
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from qmtl.wire.volumes import volume_unit_from_proto

Bars = aio.UnaryStreamCall[dataservicepb.SubscribeRequest, dataservicepb.SubscribeResponse]

LADDER_S = (0.5, 1.0, 2.0, 5.0)
LOOK_S = 1.0
JOB = "paper-venue"

log = structlog.stdlib.get_logger("qmtl.brokerage.feeds")


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of bars: a preset, and the replay session it is played in (empty: the real live feed)."""

    preset: str
    session_id: str

    @property
    def follower(self) -> str:
        """Its name in a session: feeds of one session each go at their own pace, and it waits for all."""
        return f"{JOB}:{self.preset}"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How a feed is doing, for people."""

    connected: bool
    detail: str
    ended: bool = False


@dataclass(frozen=True, slots=True)
class BarSource:
    """Where bars are subscribed to, and where each is confirmed once it was shown."""

    data: datarpc.DataServiceAsyncStub
    sessions: datasessionrpc.DataSessionServiceAsyncStub


class FeedFollower:
    """Drives every feed of the store. `run` ends only when cancelled."""

    def __init__(
        self,
        db: Database,
        market: MarketContext,
        source: BarSource,
        clock: Clock,
        measures: FeedMetrics,
    ) -> None:
        self._db = db
        self._market = market
        self._source = source
        self._clock = clock
        self._measures = measures
        self._sender = Dispatcher(db, market, partial(PaperVenue, db, market, clock), clock, measures.wire)
        self._accounts = Pulse(db, accounts_store.ACCOUNTS_SIGNAL)
        self._endings = {one for each in market.actions.values() for one in each if isinstance(one, Ending)}
        self.leading = False
        self.feeds: dict[Feed, FeedStatus] = {}
        self._begun_ns = to_ns(clock.now())
        self._heard: dict[str, int] = {}  # when each live preset was heard of since this process follows it

    def broken(self) -> list[tuple[Feed, FeedStatus]]:
        """Feeds that should run and do not."""
        return [(feed, state) for feed, state in self.feeds.items() if not state.connected and not state.ended]

    async def run(self) -> None:
        """Win the job, then drive the link and follow each feed, each in a task of its own."""
        while (held := await self._db.try_lock(JOB)) is None:
            await self._clock.sleep(LOOK_S)
        self.leading = True
        self._begun_ns = to_ns(self._clock.now())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sender.run(), name="sender")
                while await asyncio.to_thread(held.alive):
                    opened = self._accounts.next()
                    for feed in await self._db.read(feeds_of_worlds):
                        if feed not in self.feeds:
                            self.feeds[feed] = FeedStatus(False, "connecting")
                            tasks.create_task(self._follow(feed), name=f"feed {feed.preset} {feed.session_id}")
                    await self.end_symbols()
                    await self._next_look(opened)
                raise Unavailable("E_DATABASE_UNAVAILABLE", "the lock of the paper venue was lost with its connection")
        finally:
            self.leading = False
            self.feeds.clear()
            self._heard.clear()
            await asyncio.to_thread(held.release)

    async def end_symbols(self) -> None:
        """End the symbols whose time has come, each until it has ended for every account."""
        now_ns = to_ns(self._clock.now())
        for action in sorted((one for one in self._endings if one.at_ns <= now_ns), key=lambda one: one.at_ns):
            end = partial(end_symbol, market=self._market, action=action, now_ns=now_ns, heard=self._heard_ns)
            if await self._db.write(end):
                self._endings.discard(action)

    def _heard_ns(self, preset: str) -> int:
        return self._heard.get(preset, self._begun_ns)

    async def _next_look(self, opened: asyncio.Event) -> None:
        """Another process may open accounts too, so this one looks by itself from time to time."""
        try:
            async with asyncio.timeout(LOOK_S):
                await opened.wait()
        except TimeoutError:
            return

    async def _follow(self, feed: Feed) -> None:
        """Follow one feed to its end; a break is taken up again where the books stand."""
        failures = 0
        while True:
            call = None
            try:
                call = self._subscribe(feed, await self._progress(feed))
                async for answer in call:
                    failures = 0
                    self.feeds[feed] = FeedStatus(True, "")
                    await self.take(feed, answer)
                    await self._confirm(feed, answer)
                    if answer.end_of_session:
                        self.feeds[feed] = FeedStatus(False, "the session has ended", ended=True)
                        return
                detail = "the stream ended"
            except QmtlError as error:
                detail = str(error)
            finally:
                if call is not None:
                    call.cancel()
            self._measures.drops.inc()
            self.feeds[feed] = FeedStatus(False, detail)
            log.warning("feed_broken", preset=feed.preset, session=feed.session_id, detail=detail)
            await self._clock.sleep(LADDER_S[min(failures, len(LADDER_S) - 1)])
            failures += 1

    async def take(self, feed: Feed, answer: dataservicepb.SubscribeResponse) -> None:
        """Show what one message brought to every account on the feed, in one transaction."""
        symbol = await self._db.read(lambda conn: accounts_store.symbol_on(conn, feed.preset, feed.session_id))
        events = [*self._bars(symbol, answer), *self._ticks(symbol, answer)]
        watermark = ns_from_proto(answer.watermark, "watermark") if answer.HasField("watermark") else 0
        now_ns = to_ns(self._clock.now())
        if not feed.session_id:
            self._heard[feed.preset] = now_ns

        def show(conn: Connection) -> int:
            source, ended = (feed.preset, feed.session_id), answer.end_of_session
            return feeds_show.show_bars(conn, self._market, source, events, watermark, now_ns, ended=ended)

        fills = await self._db.write(show)
        self._measures.bars.inc(len(events))
        self._measures.fills.inc(fills)

    async def _confirm(self, feed: Feed, answer: dataservicepb.SubscribeResponse) -> None:
        """Tell a replay that its bars are booked: the next one may come."""
        if feed.session_id and answer.HasField("watermark"):
            await self._source.sessions.ConfirmBars(
                datasessionservicepb.ConfirmBarsRequest(
                    session_id=feed.session_id,
                    follower=feed.follower,
                    through=answer.watermark,
                    leave=answer.end_of_session,
                )
            )

    def _bars(self, symbol: str, answer: dataservicepb.SubscribeResponse) -> list[Bar]:
        """Bars of a message. One that is no bar is skipped, counted and logged: no order fills from it."""
        instrument = self._market.instruments.anywhere(symbol)
        bars: list[Bar] = []
        for message in answer.bars:
            try:
                if instrument is not None:
                    _require_possible(message)
                    unit = volume_unit_from_proto(answer.volume_unit)
                    start = ns_from_proto(message.open_time, "open_time")
                    end = ns_from_proto(message.close_time, "close_time")
                    traded, high = np.array([message.volume]), np.array([message.high])
                    volume = float(volume_in_base(instrument, traded, high, unit)[0])
                    values = (message.open, message.high, message.low, message.close, volume)
                    bars.append(bar_from_doubles(instrument, start, end - start, values))
            except (InvalidRequest, ValueError) as error:
                self._measures.bad.inc()
                log.error("bad_bar", symbol=symbol, open_time_s=message.open_time.seconds, error=str(error))
        return bars

    def _ticks(self, symbol: str, answer: dataservicepb.SubscribeResponse) -> list[Tick]:
        """Ticks of a message. One that is none is skipped, counted and logged, as bars are."""
        instrument = self._market.instruments.anywhere(symbol)
        ticks: list[Tick] = []
        if instrument is None:
            return ticks
        for message in answer.ticks:
            try:
                ticks.append(tick_from_proto(message, instrument))
            except (InvalidRequest, ValueError) as error:
                self._measures.bad.inc()
                log.error("bad_tick", symbol=symbol, time_s=message.time.seconds, error=str(error))
        return ticks

    async def _progress(self, feed: Feed) -> int:
        """Where to go on: the account that is furthest behind, of those that have begun."""
        return await self._db.read(lambda conn: accounts_store.progress_on(conn, feed.preset, feed.session_id))

    def _subscribe(self, feed: Feed, from_ns: int) -> Bars:
        request = dataservicepb.SubscribeRequest(
            dataset=feed.preset,
            session_id=feed.session_id,
            follower=feed.follower if feed.session_id else "",
            start_time=ns_to_proto(from_ns) if from_ns else None,
        )
        return self._source.data.Subscribe(request)


def feeds_of_worlds(conn: Connection) -> dict[Feed, set[str]]:
    """Every feed of the store, with the worlds whose accounts are on it."""
    found: dict[Feed, set[str]] = {}
    for preset, session_id, world_id in accounts_store.sources(conn):
        found.setdefault(Feed(preset, session_id), set()).add(world_id)
    return found


def _require_possible(bar: barspb.Bar) -> None:
    """Raises InvalidRequest (E_BARS) for a bar that opens or closes outside its range, or holds no numbers."""
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        shown = f"open {bar.open}, high {bar.high}, low {bar.low}, close {bar.close}"
        raise refused("E_BARS", "bar", shown, "low <= open and close <= high")
