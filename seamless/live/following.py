"""Keeps a feed at its exchange: it is asked when a bar is due, or tells by its websocket.

A websocket brings bars sooner and for less weight, and nothing depends on it: after each connection the feed looks
before it takes what the connection brings, a bar that is due and was not told is asked for, and so is what comes after
a gap. One connection is open at a time; after it another is tried in 0.5, 1, 2, then each 5 s, and bars are asked for
as they are due meanwhile. A websocket that let one bar pass in silence is not waited for until it speaks again.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, DeadlineExceeded, Exhausted, NotReady, QmtlError, Unavailable
from qmtl.core.tasks.ending import end
from seamless.live.feed import LiveFeed
from seamless.metrics import SeamlessMetrics
from seamless.sources.ccxt.source import CcxtSource
from seamless.sources.ccxt.stream import BarStream, Streamed

LADDER_S = (0.5, 1.0, 2.0, 5.0)
UNSERVED_S = 60.0  # between looks for what the exchange does not list, such as a symbol
DUE_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between looks for a bar that is due and has not come: each look costs weight
GRACE_S = 1.0  # that a websocket has for a bar that is due
SILENT_BARS, SILENT_S = 2, 10.0  # that came by asking, while the websocket said nothing for so long
SECOND_NS = 1_000_000_000
TROUBLES = (Unavailable, Exhausted, DeadlineExceeded, Conflict, NotReady)  # of an exchange or a store: they pass

log = structlog.stdlib.get_logger("qmtl.seamless.live")


class Following:
    """Follows one feed's exchange."""

    def __init__(self, feed: LiveFeed, source: CcxtSource, clock: Clock, metrics: SeamlessMetrics) -> None:
        self._feed = feed
        self._source = source
        self._clock = clock
        self._metrics = metrics
        self._failures = 0
        self._silent = 0  # bars that came by asking since the websocket last said something
        self._lost = False  # the trouble is the websocket's: the exchange itself may answer

    async def run(self) -> None:
        """Follow until cancelled. Troubles of the exchange are waited out, a little longer each time."""
        history: asyncio.Task[None] | None = None
        try:
            while True:
                try:
                    if not self._feed.watermark_ns:
                        await self._feed.begin()
                    history = history or asyncio.create_task(self._feed.fill_history())
                    await (self._listen() if self._streams() else self._ask())
                except TROUBLES as error:
                    asks, self._lost = self._lost, False
                    await self._wait_out(self._trouble(error), asks=asks)
        finally:
            if history is not None:
                await end(history)

    def _streams(self) -> bool:
        """Whether bars come by websocket; that it was asked for and there is none is told."""
        if self._feed.preset.stream and not self._source.streams:
            log.warning("feed_polls", preset=self._feed.preset.name, exchange=self._source.producer)
        return self._feed.preset.stream and self._source.streams

    def _trouble(self, error: QmtlError) -> float:
        """Tell of a trouble; the seconds to wait it out."""
        preset = self._feed.preset.name
        least_s = UNSERVED_S if isinstance(error, NotReady) else LADDER_S[min(self._failures, len(LADDER_S) - 1)]
        self._failures += 1
        self._metrics.live_breaks.labels(preset).inc()
        log.warning("feed_broken", preset=preset, reason=error.reason, error=error.message)
        return max(least_s, error.retry_after_s or 0.0)

    async def _wait_out(self, seconds: float, *, asks: bool) -> None:
        """Let a trouble pass; one of the websocket's makes no bar late, for those that are due are asked for."""
        until, misses, failures = self._clock.monotonic() + seconds, 0, 0
        while asks and self._clock.monotonic() < until:
            try:
                if (pause_s := await self._due_in_s(misses)) >= until - self._clock.monotonic():
                    break
                await self._clock.sleep(pause_s)
                misses, failures = (0 if await self._feed.look() else misses + 1), 0
            except TROUBLES as error:  # the exchange does not answer either, for now
                log.warning("feed_broken", preset=self._feed.preset.name, reason=error.reason, error=error.message)
                pause_s = max(LADDER_S[min(failures, len(LADDER_S) - 1)], error.retry_after_s or 0.0)
                failures += 1
                await self._clock.sleep(min(pause_s, max(0.0, until - self._clock.monotonic())))
        if (left_s := until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left_s)

    async def _ask(self) -> None:
        """Look whenever a bar is due."""
        misses = 0
        while True:
            misses = 0 if await self._feed.look() else misses + 1
            self._failures = 0
            wait_s = await self._due_in_s(misses)
            if wait_s > 0:
                await self._clock.sleep(wait_s)

    async def _listen(self) -> None:
        """Take what the websocket tells, and look where it does not. Raises Unavailable where it says nothing more."""
        async with AsyncExitStack() as opened:
            stream = await self._opened(opened)
            self._metrics.live_streams.labels(self._feed.preset.name).inc()
            misses = 0 if await self._feed.look() else 1
            heard_at = self._clock.monotonic()
            look_at = await self._look_at(misses)
            while True:
                reached_ns = self._feed.watermark_ns
                told = await self._told(stream, look_at)
                if told is not None:
                    self._failures = self._silent = 0
                    heard_at = self._clock.monotonic()
                if told is None or await self._feed.hear(told):
                    misses = 0 if await self._feed.look() else misses + 1
                    self._silent += told is None and self._feed.watermark_ns > reached_ns
                    look_at = await self._look_at(misses)
                elif self._feed.watermark_ns > reached_ns:
                    look_at = await self._look_at(0)
                if self._silent >= SILENT_BARS and self._clock.monotonic() - heard_at >= SILENT_S:
                    self._lost = True
                    raise Unavailable("E_VENUE_UNREACHABLE", f"bars close and {self._source.producer} does not say so")

    async def _opened(self, opened: AsyncExitStack) -> BarStream:
        """A connection. One may take long, or hang: while it is made, bars are asked for as they are due, and troubles
        of asking do not end it.
        """
        misses = 0 if await self._feed.look() else 1
        opening = asyncio.ensure_future(opened.enter_async_context(self._source.stream()))
        try:
            while True:
                try:
                    if await self._done_in(opening, await self._due_in_s(misses)):
                        return opening.result()
                    misses = 0 if await self._feed.look() else misses + 1
                except TROUBLES as error:
                    if opening.done():
                        self._lost = opening.exception() is error
                        raise
                    await self._done_in(opening, self._trouble(error))
        finally:
            await end(opening)

    async def _done_in(self, one: asyncio.Future[Any], seconds: float) -> bool:
        """Wait for something for so long; whether it is done."""
        waiting = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({one, waiting}, return_when=asyncio.FIRST_COMPLETED)
            return one.done()
        finally:
            await end(waiting)

    async def _told(self, stream: BarStream, until: float) -> Streamed | None:
        """What the websocket tells next; None where it is time to look first, however much it tells."""
        if self._clock.monotonic() >= until:
            return None
        telling = asyncio.ensure_future(stream.next())
        waiting = asyncio.ensure_future(self._clock.sleep(until - self._clock.monotonic()))
        try:
            await asyncio.wait({telling, waiting}, return_when=asyncio.FIRST_COMPLETED)
            self._lost = telling.done() and telling.exception() is not None
            return telling.result() if telling.done() else None
        finally:
            await end(telling, waiting)

    async def _look_at(self, misses: int) -> float:
        """When to look for a bar that the websocket did not tell, on our monotonic clock."""
        due_in_s = await self._due_in_s(misses)
        return self._clock.monotonic() + due_in_s + (0.0 if misses or self._silent else GRACE_S)

    async def _due_in_s(self, misses: int) -> float:
        """Seconds until the next bar is due by the exchange's clock, or a little where one is due and has not come."""
        due_in_s = (self._feed.next_close_ns - await self._source.now_ns()) / SECOND_NS
        if due_in_s > 0:
            return due_in_s
        return DUE_S[min(misses, len(DUE_S)) - 1] if misses else 0.0
