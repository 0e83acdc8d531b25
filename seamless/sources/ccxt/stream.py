"""Bars of one symbol as its exchange's websocket tells them, through ccxt's class.

    async with BarStream(exchange, "BTC/USDT", "1m", endpoint.streamed) as stream:
        told = await stream.next()

ccxt connects, subscribes and reads; what it hears of bars is taken as it came, in the exchange's own words, because its
own tables do not say which bars have closed. A connection that ends is not opened again here, and none that is still
being made is left: ccxt would finish it, and nobody would listen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from qmtl.core.errors import Unavailable
from qmtl.core.tasks.ending import end, first_of
from qmtl.exchanges.connection import VenueRefused, outcomes
from seamless.sources.ccxt.answers import Row

WAITING_MAX = 4_096  # messages not looked at yet; what falls out is a gap, and gaps are asked for


@dataclass(frozen=True, slots=True)
class Streamed:
    """A bar as it stands. `closed`: the exchange says that it has closed; not all say so. `time_ns`: the exchange's
    time when it said it, where it tells.
    """

    row: Row
    closed: bool
    time_ns: int | None = None


class BarStream:
    """One connection, from `async with` until it ends or fails."""

    def __init__(
        self, exchange: Any, symbol: str, timeframe: str, streamed: Callable[[object], list[Streamed]]
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._timeframe = timeframe
        self._streamed = streamed
        self._waiting: deque[Streamed] = deque(maxlen=WAITING_MAX)
        self._heard = asyncio.Event()
        self._unreadable: Unavailable | None = None
        self._known = exchange.handle_ohlcv
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._exchange.handle_ohlcv = self._take
        self._watching = asyncio.create_task(self._watch(), name=f"bars of {self._symbol} {self._timeframe}")
        try:
            await self._connected(self._watching)
        except BaseException:
            await self._close(self._watching)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watching is not None:
            await self._close(self._watching)

    async def _connected(self, watching: asyncio.Task[None]) -> None:
        """Wait until there is a connection. Raises as `next`."""
        while not watching.done():
            connecting = [one.connected for one in self._exchange.clients.values()]
            if connecting:
                await asyncio.wait({watching, *connecting}, return_when=asyncio.FIRST_COMPLETED)
                break
            await asyncio.sleep(0)  # ccxt has not come to it
        if watching.done():
            await watching

    async def _close(self, watching: asyncio.Task[None]) -> None:
        await end(watching)
        self._exchange.handle_ohlcv = self._known
        await self._exchange.close_ws_clients()

    async def next(self) -> Streamed:
        """The next bar that is told. Raises Unavailable (E_VENUE_UNREACHABLE, E_SOURCE_ANSWER): the stream is over."""
        watching = self._watching
        if watching is None:
            raise AssertionError("not opened")
        while not self._waiting:
            if self._unreadable is not None:
                raise self._unreadable
            if watching.done():
                await watching
            self._heard.clear()
            await first_of(self._heard.wait(), asyncio.wait({watching}))
        return self._waiting.popleft()

    async def _watch(self) -> None:
        try:
            with outcomes(self._exchange.id):
                while True:
                    await self._exchange.watch_ohlcv(self._symbol, self._timeframe)
        except VenueRefused as refused:
            raise Unavailable("E_SOURCE_ANSWER", f"{self._exchange.id} refused: {refused}") from refused

    def _take(self, client: object, message: object) -> None:
        """What ccxt calls for a message about bars. An error here would end its reading without a word."""
        try:
            self._waiting.extend(self._streamed(message))
        except Unavailable as error:
            self._unreadable = error
        else:
            self._known(client, message)
        self._heard.set()
