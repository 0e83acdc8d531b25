"""Binance's market data: time, symbols, klines and aggregate trades, spot and USD-M, and klines by websocket.

Each call costs its weight, and every answer tells what the address has used. Source: developers.binance.com,
binance-spot-api-docs, REST API, "Market Data endpoints" and "Limits" (klines 2, aggTrades 4, exchangeInfo 20, time 1),
Web Socket Streams, "Kline/Candlestick Streams"; USDS-Margined Futures (klines 5 at 1,000 rows, aggTrades 20).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from tests.exchange.binance import words
from tests.exchange.binance.usdm.words import exchange_info as usdm_info
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Listing
from tests.exchange.market.klines import Kline, Klines, stream_name
from tests.exchange.market.meter import Meter
from tests.exchange.market.tape import Tape
from tests.exchange.server import BAN_S
from tests.exchange.server import limited as too_many

PAGE_DEFAULT, PAGE_MAX = 500, 1_000
USED = "X-MBX-USED-WEIGHT-1M"
INTERVALS_MS = {"1s": 1_000, "1m": 60_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000}

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Face:
    """One of Binance's markets: where it is, what it costs, and which symbols it has."""

    root: str
    socket: str
    klines: int
    trades: int
    info: int
    contracts: bool
    listed: Callable[[Sequence[Listing], int], object]


SPOT = Face("/api/v3", "/ws/{stream}", 2, 4, 20, False, words.exchange_info)
USDM = Face("/fapi/v1", "/market/ws/{stream}", 5, 20, 1, True, usdm_info)


class BinanceMarket:
    """Market data of an exchange; `asked` has each request for klines as (symbol, first open or None)."""

    def __init__(self, exchange: Exchange, tapes: Sequence[Tape], meter: Meter, face: Face = SPOT) -> None:
        self.meter = meter
        self.ban_s = BAN_S
        self.asked: list[tuple[str, int | None]] = []
        self.klines = Klines(tapes, exchange.faults, exchange.clock)
        self._heard = asyncio.Event()
        self._exchange = exchange
        self._face = face
        self._tapes = {(tape.symbol, tape.interval_ms): tape for tape in tapes}

    def routes(self) -> Sequence[web.RouteDef]:
        face = self._face
        return [
            web.get(f"{face.root}/time", self._weighing(1, self._time)),
            web.get(f"{face.root}/exchangeInfo", self._weighing(face.info, self._info)),
            web.get(f"{face.root}/klines", self._weighing(face.klines, self._klines)),
            web.get(f"{face.root}/aggTrades", self._weighing(face.trades, self._trades)),
            web.get(face.socket, self._socket),
        ]

    async def until_asked(self, times: int) -> None:
        """Wait until so many requests for klines have come."""
        while len(self.asked) < times:
            self._heard.clear()
            await self._heard.wait()

    def unsure(self) -> web.Response:
        return words.error(-1007, "Timeout waiting for response from backend server.", status=408)

    def limited(self, trouble: Trouble) -> web.Response:
        return too_many(trouble, self.ban_s)

    def _weighing(
        self, weight: int, answer: Callable[[Params], object]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            used, wait_s = self.meter.charge(weight)
            if wait_s:
                response = words.error(-1003, "Too much request weight used.", status=429)
                response.headers["Retry-After"] = str(wait_s)
            else:
                found = answer(request.query)
                response = found if isinstance(found, web.Response) else web.json_response(found)
            response.headers[USED] = str(used)
            return response

        return serve

    def _time(self, params: Params) -> object:
        return {"serverTime": self._exchange.clock()}

    def _info(self, params: Params) -> object:
        listed = [one for one in self._exchange.listings.values() if one.contract == self._face.contracts]
        return self._face.listed(listed, self._exchange.clock())

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return await self.klines.serve(request, self._subscribed, _kline_event)

    def _subscribed(self, message: Mapping[str, object]) -> tuple[Sequence[object], Sequence[str]]:
        """`btcusdt@kline_1m` and the like, of which each is a stream."""
        names, asked = [], message.get("params")
        for one in asked if isinstance(asked, list) else []:
            symbol, _, interval = str(one).partition("@kline_")
            tape = self._tapes.get((symbol.upper(), INTERVALS_MS.get(interval, 0)))
            names += [] if tape is None else [stream_name(tape.symbol, tape.interval_ms)]
        return [{"result": None, "id": message.get("id")}], names

    def _klines(self, params: Params) -> object:
        interval_ms = INTERVALS_MS.get(params.get("interval", ""))
        tape = self._tapes.get((params.get("symbol", ""), interval_ms or 0))
        if interval_ms is None:
            return words.error(-1120, "Invalid interval.")
        if tape is None:
            return words.error(-1121, "Invalid symbol.")
        start, end = (int(params[name]) if name in params else None for name in ("startTime", "endTime"))
        self.asked.append((tape.symbol, start))
        self._heard.set()
        limit = min(int(params.get("limit", PAGE_DEFAULT)), PAGE_MAX)
        return [_kline(row, interval_ms) for row in tape.page(start, end, limit)]

    def _trades(self, params: Params) -> object:
        """One trade a bar, at its close price and in its last millisecond: the bars' own closes, as trades."""
        tape = next((one for (symbol, _), one in self._tapes.items() if symbol == params.get("symbol")), None)
        if tape is None:
            return words.error(-1121, "Invalid symbol.")
        step = tape.interval_ms
        limit = min(int(params.get("limit", PAGE_DEFAULT)), PAGE_MAX)
        if "fromId" in params:
            first_ms = int(params["fromId"]) * step
            found = tape.truth(first_ms, first_ms + limit * step)
        else:
            until_ms = int(params.get("endTime", self._exchange.clock()))
            since_ms = int(params.get("startTime", until_ms - limit * step))
            found = [one for one in tape.truth(since_ms - step, until_ms + 1) if since_ms < one.open_ms + step]
        return [
            {
                "a": one.open_ms // step,
                "p": one.close,
                "q": one.volume,
                "f": one.open_ms // step,
                "l": one.open_ms // step,
                "T": one.open_ms + step - 1,
                "m": False,
                "M": True,
            }
            for one in found[:limit]
        ]


def _kline(row: Sequence[str | None], interval_ms: int) -> list[object]:
    open_ms = int(row[0] or 0)
    return [open_ms, *row[1:6], open_ms + interval_ms - 1, "0.00000000", 1, "0.00000000", "0.00000000", "0"]


def _kline_event(kline: Kline) -> dict[str, object]:
    _, first, high, low, last, volume = kline.row
    return {
        "e": "kline",
        "E": kline.time_ms,
        "s": kline.symbol,
        "k": {
            "t": kline.open_ms,
            "T": kline.open_ms + kline.interval_ms - 1,
            "s": kline.symbol,
            "i": next(name for name, length in INTERVALS_MS.items() if length == kline.interval_ms),
            "f": 1,
            "L": 1,
            "o": first,
            "c": last,
            "h": high,
            "l": low,
            "v": volume,
            "n": 1,
            "x": kline.closed,
            "q": "0.00000000",
            "V": "0.00000000",
            "Q": "0.00000000",
            "B": "0",
        },
    }
