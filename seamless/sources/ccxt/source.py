"""Bars of one symbol of one exchange, over the real ccxt class.

    source = CcxtSource(connection, endpoint_of("binance"), dataset, clock)
    answer = await source.fetch(span, Purpose.HISTORY)

Only bars that have closed by the exchange's own clock are told. The clock is known from below: what the exchange last
said, and the time since on ours, so a clock that is off by seconds opens no bar early.
"""

from __future__ import annotations

import asyncio
from typing import Any

from qmtl.calendars.spans import Span, floor_to
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, NotReady, Unavailable
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused
from seamless.domain.bars import no_bars
from seamless.domain.datasets import DatasetId, format_interval
from seamless.sources.ccxt.answers import Answer, Listing, Row
from seamless.sources.ccxt.endpoints import Endpoint

CLOCK_AGE_S = 30.0
ASKED_AGAIN_MAX = 64  # how often holes of one span are asked about
REACH_SPARE = 2  # bars that fall out of the list while it is read are not said to be absent
S_NS = 1_000_000_000


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
        self._told: tuple[int, float] | None = None  # the exchange's time, and ours when it was heard
        self._asking = asyncio.Lock()

    async def now_ns(self, purpose: Purpose = Purpose.MARKET_DATA) -> int:
        """The exchange's time, at least. Raises Unavailable, Exhausted (E_RATE_LIMITED)."""
        async with self._asking:
            if self._told is None or self._clock.monotonic() - self._told[1] > CLOCK_AGE_S:
                heard = self._endpoint.time_ns(await self._call(self._endpoint.time, {}, purpose, 1))
                self._told = heard, self._clock.monotonic()
            told_ns, at = self._told
        return told_ns + int((self._clock.monotonic() - at) * S_NS)

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
        closed = self._reached(closed, now_ns)
        listing = Listing(closed, step)
        await self._read(listing, purpose)
        await self._settle_holes(listing, purpose)
        return listing.answer()

    async def close(self) -> None:
        """Let go of sockets."""
        await self._at.close()

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
        async with self._asking:
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

    def _reached(self, span: Span, now_ns: int) -> Span:
        """What is surely still listed of a span when the answer is made, a bar or two after it was asked."""
        if self._endpoint.reach is None:
            return span
        step = self.dataset.interval_ns
        oldest_ns = floor_to(now_ns, step) - (self._endpoint.reach - 1 - REACH_SPARE) * step
        if span.end_ns <= oldest_ns:
            raise NotReady(
                "E_HISTORY_SHORT",
                f"{self._endpoint.exchange} lists its {self._endpoint.reach} newest bars,"
                f" from {timestamp_text(from_ns(oldest_ns))} on",
                hint="older bars come from files: qmtl data add",
            )
        return Span(max(span.start_ns, oldest_ns), span.end_ns)
