"""Bars as an exchange's websocket tells them: the one that builds, and each once more when it closes.

Nothing is told but by `tick` and `tell`. The faults' script of a stream's name drops, repeats and reorders what is
told; `silent` leaves connections open and tells nothing, `cut` ends them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from tests.exchange.core.faults import Faults
from tests.exchange.core.streams import Stream, Streams
from tests.exchange.market.tape import Tape


@dataclass(frozen=True, slots=True)
class Kline:
    """One bar as it stands, and the exchange's time when it is told."""

    symbol: str
    interval_ms: int
    row: Sequence[str | None]  # open time in ms, open, high, low, close, volume
    closed: bool
    time_ms: int

    @property
    def open_ms(self) -> int:
        return int(self.row[0] or 0)


Answer = Callable[[Mapping[str, object]], tuple[Sequence[object], Sequence[str]]]
"""Of a client's message: what it is answered, and the names of the streams that it opens."""


def stream_name(symbol: str, interval_ms: int) -> str:
    """The name of a stream, in the faults' script too."""
    return f"{symbol}@{interval_ms}"


class Klines:
    """The streams of bars of some tapes."""

    def __init__(self, tapes: Iterable[Tape], faults: Faults, clock: Callable[[], int]) -> None:
        self.silent = False
        self.answering = asyncio.Event()  # while it is not set, whoever connects waits for an answer
        self.answering.set()
        self.connected = 0  # now
        self.connections = 0  # ever
        self.most_connected = 0  # at once
        self._tapes = {stream_name(tape.symbol, tape.interval_ms): tape for tape in tapes}
        self._clock = clock
        self._streams = Streams[Kline](faults)
        self._told_ms = {name: clock() - clock() % tape.interval_ms for name, tape in self._tapes.items()}

    def tick(self) -> None:
        """Tell what has closed since the last time, and the bar that builds."""
        for name, tape in self._tapes.items():
            now_ms = self._clock()
            open_ms = now_ms - now_ms % tape.interval_ms
            for candle in tape.truth(self._told_ms[name], open_ms):
                self.tell(self.kline(tape, candle.open_ms))
            self._told_ms[name] = open_ms
            if tape.makes(open_ms):
                self.tell(self.kline(tape, open_ms))

    def kline(self, tape: Tape, open_ms: int) -> Kline:
        """A bar as it stands now."""
        now_ms = self._clock()
        closed = open_ms + tape.interval_ms <= now_ms
        return Kline(tape.symbol, tape.interval_ms, [str(open_ms), *tape.values(open_ms)], closed, now_ms)

    def tell(self, kline: Kline) -> None:
        """Tell whoever listens to it, unless all is silent."""
        if not self.silent:
            self._streams.tell(stream_name(kline.symbol, kline.interval_ms), kline)

    def cut(self) -> None:
        """End all connections."""
        for name in self._tapes:
            self._streams.cut(name)

    async def until_open(self, symbol: str, interval_ms: int) -> None:
        """Wait until somebody listens to a symbol's bars."""
        await self._streams.until_open(stream_name(symbol, interval_ms))

    async def serve(self, request: web.Request, answer: Answer, words: Callable[[Kline], object]) -> web.StreamResponse:
        """Answer a client's messages and tell it what it subscribed to, until either side goes."""
        await self.answering.wait()
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        self.connections += 1
        self.connected += 1
        self.most_connected = max(self.most_connected, self.connected)
        streams: list[Stream[Kline]] = []
        telling: list[asyncio.Task[None]] = []
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    replies, names = answer(json.loads(message.data))
                    for reply in replies:
                        await socket.send_json(reply)
                    opened = [self._streams.open(name) for name in names]
                    streams += opened
                    telling += [asyncio.create_task(_tell(socket, one, words)) for one in opened]
        finally:
            self.connected -= 1
            for task in telling:
                task.cancel()
            for stream in streams:
                self._streams.close(stream)
        return socket


async def _tell(socket: web.WebSocketResponse, stream: Stream[Kline], words: Callable[[Kline], object]) -> None:
    while (kline := await stream.next()) is not None:
        await socket.send_json(words(kline))
    await socket.close()
