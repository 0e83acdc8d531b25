"""Kraken's market data: time, pairs, OHLC, trades, and OHLC by websocket.

OHLC has the latest 720 entries whatever `since` says, the one that builds among them; trades come oldest first, up to
a thousand later than `since`. Source: docs.kraken.com, Spot REST, "Get OHLC Data", "Get Recent Trades", "API Rate
Limits"; Websockets v2, "Candles (OHLC)".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from aiohttp import web

from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Listing
from tests.exchange.kraken import words
from tests.exchange.market.klines import Kline, Klines, stream_name
from tests.exchange.market.meter import Meter
from tests.exchange.market.tape import Tape
from tests.exchange.market.trades import Trade, trades_after

LISTED = 720
TRADES_MAX = 1_000
MINUTE_MS = 60_000
S_NS = 1_000_000_000


class KrakenMarket:
    """Market data of an exchange; `asked` has each request for bars or trades as (symbol, since in ms)."""

    def __init__(self, exchange: Exchange, tapes: Sequence[Tape], meter: Meter) -> None:
        self.meter = meter
        self.asked: list[tuple[str, int | None]] = []
        self.klines = Klines(tapes, exchange.faults, exchange.clock)
        self._heard = asyncio.Event()
        self._exchange = exchange
        self._tapes = list(tapes)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/0/public/Time", self._counting(self._time)),
            web.get("/0/public/Assets", self._counting(self._assets)),
            web.get("/0/public/AssetPairs", self._counting(self._pairs)),
            web.get("/0/public/OHLC", self._counting(self._ohlc)),
            web.get("/0/public/Trades", self._counting(self._trades)),
            web.get("/v2", self._socket),
        ]

    async def until_asked(self, times: int) -> None:
        """Wait until so many requests for bars or trades have come."""
        while len(self.asked) < times:
            self._heard.clear()
            await self._heard.wait()

    def unsure(self) -> web.Response:
        return words.refusal("UNSURE")

    def limited(self, trouble: Trouble) -> web.Response:
        return words.refusal("LIMITED")

    def _counting(
        self, answer: Callable[[Mapping[str, str]], web.Response]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            _, wait_s = self.meter.charge(1)
            return words.refusal("LIMITED") if wait_s else answer(request.query)

        return serve

    def _time(self, params: Mapping[str, str]) -> web.Response:
        return words.answer({"unixtime": self._exchange.clock() // 1_000})

    def _assets(self, params: Mapping[str, str]) -> web.Response:
        return words.answer(words.assets(self._exchange.listings.values()))

    def _pairs(self, params: Mapping[str, str]) -> web.Response:
        return words.answer(words.pairs(self._exchange.listings.values()))

    def _ohlc(self, params: Mapping[str, str]) -> web.Response:
        found = self._found(params, int(params.get("interval", "1")) * MINUTE_MS)
        if found is None:
            return words.refusal("SYMBOL")
        listing, tape = found
        since_ms = int(params.get("since", "0")) * 1_000
        self._note(listing, since_ms)
        now_ms = self._exchange.clock()
        oldest_ms = now_ms - now_ms % tape.interval_ms - (LISTED - 1) * tape.interval_ms
        rows = tape.page(max(since_ms + 1, oldest_ms), None, LISTED)
        listed = [[int(row[0] or 0) // 1_000, *row[1:5], "0.0", row[5], 1] for row in rows]
        return words.answer({words.pair(listing): listed, "last": oldest_ms // 1_000})

    def _trades(self, params: Mapping[str, str]) -> web.Response:
        found = self._found(params, None)
        if found is None:
            return words.refusal("SYMBOL")
        listing, tape = found
        since_ns = int(params.get("since", "0"))
        self._note(listing, since_ns // 1_000_000)
        count = min(int(params.get("count", TRADES_MAX)), TRADES_MAX, tape.sparse or TRADES_MAX)
        listed = trades_after(tape, since_ns, count)
        rows = ",".join(_row(one) for one in listed)
        last = listed[-1].time_ns if listed else since_ns
        text = f'{{"error":[],"result":{{"{words.pair(listing)}":[{rows}],"last":"{last}"}}}}'
        return web.Response(text=text, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return await self.klines.serve(request, self._subscribed, _candle)

    def _subscribed(self, message: Mapping[str, object]) -> tuple[Sequence[object], Sequence[str]]:
        params, named = message.get("params"), {"req_id": message.get("req_id")}
        if message.get("method") == "ping" or not isinstance(params, dict):
            return [{"method": "pong", **named}], []
        length_ms = int(params["interval"]) * MINUTE_MS
        tapes = [tape for tape in self._tapes if _v2_name(tape.symbol) in params["symbol"]]
        names = [stream_name(tape.symbol, tape.interval_ms) for tape in tapes if tape.interval_ms == length_ms]
        result = {"channel": "ohlc", "symbol": params["symbol"][0], "interval": params["interval"]}
        return [{"method": "subscribe", "success": True, "result": result, **named}], names

    def _found(self, params: Mapping[str, str], interval_ms: int | None) -> tuple[Listing, Tape] | None:
        for listing in self._exchange.listings.values():
            for tape in self._tapes:
                named = params.get("pair") in (listing.symbol, words.pair(listing))
                if named and tape.symbol == listing.symbol and interval_ms in (None, tape.interval_ms):
                    return listing, tape
        return None

    def _note(self, listing: Listing, since_ms: int) -> None:
        self.asked.append((listing.symbol, since_ms))
        self._heard.set()


def _row(trade: Trade) -> str:
    """Prices and volumes are text, times numbers of seconds with nine places, as they are written there."""
    time = f"{trade.time_ns // S_NS}.{trade.time_ns % S_NS:09d}"
    return f'["{trade.price}","{trade.volume}",{time},"b","l","",{trade.number}]'


def _candle(kline: Kline) -> dict[str, object]:
    """An update of the channel `ohlc`: numbers, and no word about whether the bar has closed."""
    _, first, high, low, last, volume = (float(value or 0) for value in kline.row)
    row = {
        "symbol": _v2_name(kline.symbol),
        "open": first,
        "high": high,
        "low": low,
        "close": last,
        "trades": 1,
        "volume": volume,
        "vwap": last,
        "interval_begin": _stamp(kline.open_ms),
        "interval": kline.interval_ms // MINUTE_MS,
        "timestamp": _stamp(kline.open_ms + kline.interval_ms),
    }
    return {"channel": "ohlc", "type": "update", "timestamp": _stamp(kline.time_ms), "data": [row]}


def _v2_name(symbol: str) -> str:
    return {"XBTUSD": "BTC/USD", "ETHUSD": "ETH/USD"}[symbol]


def _stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "000Z")
