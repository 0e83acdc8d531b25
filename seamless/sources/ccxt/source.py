"""Bars of one symbol of one exchange, over the real ccxt class.

    source = CcxtSource(connection, endpoint_of("binance"), dataset, clock)
    answer = await source.fetch(span, Purpose.HISTORY)

Only bars that have closed by the exchange's own clock are told.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from qmtl.calendars.spans import Span, floor_to, normalise
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, NotReady, Unavailable
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused
from seamless.domain.bars import concatenated, no_bars
from seamless.domain.datasets import DatasetId, format_interval
from seamless.sources.ccxt.answers import Answer, Listing, Row
from seamless.sources.ccxt.clock import ExchangeClock
from seamless.sources.ccxt.endpoints import Endpoint, TradeEndpoint
from seamless.sources.ccxt.stream import BarStream, Streamed
from seamless.sources.ccxt.trades import Trade, bars_from_trades

CLOCK_AGE_S = 30.0
ASKED_AGAIN_MAX = 64  # how often holes of one span are asked about
REACH_SPARE = 2  # bars that fall out of the list while it is read are not said to be absent


class CcxtSource:
    """One symbol at one interval. Safe for concurrent fetches."""

    def __init__(self, connection: Connection, endpoint: Endpoint, dataset: DatasetId, clock: Clock) -> None:
        if dataset.interval_s not in endpoint.intervals_s:
            listed = ", ".join(format_interval(one) for one in endpoint.intervals_s)
            raise InvalidRequest(
                "E_INTERVAL", f"{endpoint.exchange} has no bars of {format_interval(dataset.interval_s)}, want {listed}"
            )
        self.producer = endpoint.exchange
        self.dataset = dataset
        self._at = connection
        self._endpoint = endpoint
        self._clock = clock
        self._market = ""
        self._time = ExchangeClock(endpoint.exchange, clock)
        self._asking: defaultdict[Purpose, asyncio.Lock] = defaultdict(
            asyncio.Lock
        )  # history may wait long: who has more waits not
        connection.exchange.on_json_response = _numbers_as_text

    async def now_ns(self, purpose: Purpose = Purpose.MARKET_DATA) -> int:
        """The exchange's time, at least. Raises Unavailable, Exhausted (E_RATE_LIMITED)."""
        async with self._asking[purpose]:
            if self._time.older_than(CLOCK_AGE_S):
                began = self._clock.monotonic()
                told_ns = self._endpoint.time_ns(await self._call(self._endpoint.time, {}, purpose, 1))
                self._time.answered(told_ns, self._clock.monotonic() - began)
        return self._time.now_ns()

    @property
    def streams(self) -> bool:
        """Whether there is a websocket of bars."""
        return bool(self._at.exchange.has.get("watchOHLCV"))

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[BarStream]:
        """Bars by websocket, until the block ends. Raises as `now_ns` and, for what is not listed, NotReady."""
        await self._market_id(Purpose.MARKET_DATA)
        symbol, timeframe = self.dataset.symbol, format_interval(self.dataset.interval_s)
        async with BarStream(self._at.exchange, symbol, timeframe, self._heard) as stream:
            yield stream

    def _heard(self, message: object) -> list[Streamed]:
        told = self._endpoint.streamed(message)
        for one in told:
            if one.time_ns is not None:
                self._time.heard(one.time_ns)
        return told

    def quick_from_ns(self, now_ns: int) -> int:
        """From where on its bars are listed as such, at a time."""
        return self._oldest_ns(now_ns)

    async def fetch(self, span: Span, purpose: Purpose) -> Answer:
        """What the exchange says about the bars of a span that have closed; `Answer.span` is from where and how far.

        Raises NotReady (E_HISTORY_SHORT) where the exchange lists none of them any more, Unavailable (E_SOURCE_ANSWER,
        E_VENUE_UNREACHABLE), Exhausted (E_RATE_LIMITED): ask again.
        """
        step = self.dataset.interval_ns
        now_ns = await self.now_ns(purpose)
        closed = Span(span.start_ns, max(span.start_ns, min(span.end_ns, floor_to(now_ns, step))))
        if closed.empty:
            return Answer(closed, no_bars())
        older = await self._from_trades(closed, now_ns, purpose)
        if older is not None and older.span == closed:
            return older
        listing = Listing(self._reached(closed, now_ns), step)
        await self._read(listing, purpose)
        await self._settle_holes(listing, purpose)
        newer = listing.answer()
        if older is None:
            return newer
        bars, empty = concatenated((older.bars, newer.bars)), normalise((*older.empty, *newer.empty))
        return Answer(closed, bars, empty, newer.broken)

    async def close(self) -> None:
        """Let go of sockets."""
        await self._at.close()

    async def _from_trades(self, closed: Span, now_ns: int, purpose: Purpose) -> Answer | None:
        """What is not listed as bars any more, made of trades; None where there is no such part, or no trades."""
        oldest_ns = self._oldest_ns(now_ns)
        if self._endpoint.trades is None or closed.start_ns >= oldest_ns:
            return None
        part = Span(closed.start_ns, min(closed.end_ns, oldest_ns))
        ask = partial(self._trades, self._endpoint.trades, purpose)
        return await bars_from_trades(ask, part, self.dataset.interval_ns)

    async def _trades(self, endpoint: TradeEndpoint, purpose: Purpose, since_ns: int) -> list[Trade]:
        asked = endpoint.ask(await self._market_id(purpose), since_ns)
        return endpoint.rows(await self._call(endpoint.trades, asked, purpose, endpoint.weight))

    async def _read(self, listing: Listing, purpose: Purpose) -> None:
        """Page by time, each page from the last bar of the one before, until one has nothing new."""
        step, start_ns = listing.interval_ns, listing.span.start_ns
        while True:
            rows = await self._page(start_ns, listing.span.end_ns - step, purpose)
            if not listing.add(rows):
                return
            start_ns = max(max(listing.rows), start_ns)
            if start_ns + step >= listing.span.end_ns or self._endpoint.reach is not None:
                return

    async def _settle_holes(self, listing: Listing, purpose: Purpose) -> None:
        """Ask again about what was left out or had empty fields."""
        for at in listing.broken:
            listing.add(await self._page(at, at, purpose))
        silent: set[int] = set()
        for _ in range(ASKED_AGAIN_MAX):
            hole = next((hole for hole in listing.holes if hole.start_ns not in silent), None)
            if hole is None:
                return
            if not listing.judge(hole, await self._page(hole.start_ns, None, purpose)):
                silent.add(hole.start_ns)

    async def _page(self, first_ns: int, last_ns: int | None, purpose: Purpose) -> list[Row]:
        """An answer's rows, in order of time."""
        market = await self._market_id(purpose)
        endpoint = self._endpoint
        asked = endpoint.ask(market, self.dataset.interval_s, first_ns, last_ns, endpoint.page)
        return sorted(
            endpoint.rows(await self._call(endpoint.candles, asked, purpose, endpoint.weight)), key=lambda row: row[0]
        )

    async def _market_id(self, purpose: Purpose) -> str:
        async with self._asking[purpose]:
            if not self._market:
                weight = self._endpoint.markets_weight
                await self._at.call(lambda _: self._at.exchange.load_markets(), {}, purpose=purpose, weight=weight)
                listed = self._at.exchange.markets
                if self.dataset.symbol not in listed:
                    raise NotReady(
                        "E_DATASET_UNAVAILABLE", f"{self._endpoint.exchange} lists no {self.dataset.symbol!r}"
                    )
                self._market = str(listed[self.dataset.symbol]["id"])
        return self._market

    async def _call(self, endpoint: str, params: Any, purpose: Purpose, weight: int) -> object:
        try:
            return await self._at.call(getattr(self._at.exchange, endpoint), params, purpose=purpose, weight=weight)
        except VenueRefused as refused:
            raise Unavailable("E_SOURCE_ANSWER", f"{self._endpoint.exchange} refused: {refused}") from refused

    def _oldest_ns(self, now_ns: int) -> int:
        """The oldest bar that is surely still listed when an answer is made, a bar or two after it was asked."""
        if self._endpoint.reach is None:
            return 0
        step = self.dataset.interval_ns
        return floor_to(now_ns, step) - (self._endpoint.reach - 1 - REACH_SPARE) * step

    def _reached(self, span: Span, now_ns: int) -> Span:
        """What is surely still listed of a span."""
        oldest_ns = self._oldest_ns(now_ns)
        if span.end_ns <= oldest_ns:
            raise NotReady(
                "E_HISTORY_SHORT",
                f"{self._endpoint.exchange} lists its {self._endpoint.reach} newest bars,"
                f" from {timestamp_text(from_ns(oldest_ns))} on",
                hint="older bars come from files: qmtl data add",
            )
        return Span(max(span.start_ns, oldest_ns), span.end_ns)


def _numbers_as_text(body: str) -> object:
    """An answer whose numbers are kept as they were written: a time of nanoseconds is no float."""
    return json.loads(body, parse_float=str, parse_int=str)
