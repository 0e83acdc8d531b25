"""How each exchange tells bars: the endpoint as ccxt names it, its parameters, its page and its weight.

Sources: developers.binance.com, spot REST API and USD-M futures, "Kline/Candlestick data" (weights by limit);
"Kline/Candlestick Streams" of both; docs.kraken.com, Spot REST, "Get OHLC Data" (the 720 newest entries, whatever
`since` says), "Get Recent Trades"; Websockets v2, "Candles (OHLC)".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from qmtl.core.errors import NotFound, Unavailable
from qmtl.core.instants import to_ns
from seamless.domain.datasets import format_interval
from seamless.sources.ccxt.answers import Row, values_of, values_of_rows
from seamless.sources.ccxt.stream import Streamed
from seamless.sources.ccxt.trades import Trade

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
BINANCE_INTERVALS_S = (1, 60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400, 604_800)
KRAKEN_INTERVALS_S = (60, 300, 900, 1_800, 3_600, 14_400, 86_400, 604_800)

Params = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TradeEndpoint:
    """One exchange's trades, oldest first, later than an instant."""

    trades: str
    weight: int
    ask: Callable[[str, int], Params]  # market id, since in ns
    rows: Callable[[object], list[Trade]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One exchange's bars. `reach` is how many of the newest it lists at all; None: all that it has. Older ones are
    made of its `trades`, where it has them. `streamed` reads a message of its websocket.
    """

    exchange: str
    candles: str
    time: str
    page: int
    weight: int
    markets_weight: int
    intervals_s: tuple[int, ...]
    options: Params
    ask: Callable[[str, int, int, int | None, int], Params]  # market id, interval in s, first open, last open, rows
    rows: Callable[[object], list[Row]]
    time_ns: Callable[[object], int]
    streamed: Callable[[object], list[Streamed]]
    reach: int | None = None
    trades: TradeEndpoint | None = None


def endpoint_of(exchange: str) -> Endpoint:
    """The endpoint of an exchange by its ccxt id. Raises NotFound (E_EXCHANGE_UNKNOWN)."""
    found = ENDPOINTS.get(exchange)
    if found is None:
        known = ", ".join(ENDPOINTS)
        raise NotFound("E_EXCHANGE_UNKNOWN", f"no bars of {exchange[:80]!r} can be read", hint=f"one of {known}")
    return found


def _ask_binance(market: str, interval_s: int, first_ns: int, last_ns: int | None, rows: int) -> Params:
    asked: dict[str, object] = {
        "symbol": market,
        "interval": format_interval(interval_s),
        "startTime": first_ns // MS_NS,
        "limit": rows,
    }
    return asked if last_ns is None else {**asked, "endTime": last_ns // MS_NS}


def _binance_rows(answer: object) -> list[Row]:
    rows = _rows(answer)
    return list(zip((_whole(row, 0) * MS_NS for row in rows), values_of_rows([row[1:6] for row in rows]), strict=True))


def _binance_time(answer: object) -> int:
    time_ms = answer.get("serverTime") if isinstance(answer, Mapping) else None
    return _number(time_ms, "serverTime") * MS_NS


def _binance_streamed(message: object) -> list[Streamed]:
    """`x` of a kline: it has closed. `E`: the time of the event."""
    told = message if isinstance(message, Mapping) else {}
    kline = told.get("k")
    if not isinstance(kline, Mapping):
        raise unreadable("a kline")
    row = (_number(kline.get("t"), "t") * MS_NS, values_of([kline.get(name) for name in "ohlcv"]))
    return [Streamed(row, kline.get("x") is True, _number(told.get("E"), "E") * MS_NS)]


def _ask_kraken(market: str, interval_s: int, first_ns: int, last_ns: int | None, rows: int) -> Params:
    return {"pair": market, "interval": interval_s // 60, "since": max(0, first_ns // SECOND_NS - 1)}


def _kraken_rows(answer: object) -> list[Row]:
    """[time, open, high, low, close, vwap, volume, count] under the pair's name, beside `last`."""
    rows = _rows(_of_pair(answer), 7)
    values = values_of_rows([[*row[1:5], row[6]] for row in rows])
    return list(zip((_whole(row, 0) * SECOND_NS for row in rows), values, strict=True))


def _kraken_streamed(message: object) -> list[Streamed]:
    """Candles as they stand; which have closed is not told."""
    rows = message.get("data") if isinstance(message, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise unreadable("a list of candles")
    return [Streamed((_instant(row.get("interval_begin")), None), False) for row in rows]


def _ask_kraken_trades(market: str, since_ns: int) -> Params:
    return {"pair": market, "since": str(max(0, since_ns)), "count": 1_000}


def _kraken_trades(answer: object) -> list[Trade]:
    """[price, volume, time in s, side, type, miscellaneous, number] under the pair's name, beside `last`."""
    return [_kraken_trade(row) for row in _rows(_of_pair(answer), 7)]


def _kraken_trade(row: Sequence[object]) -> Trade:
    try:
        price, volume, time_s = (Decimal(str(row[i])) for i in range(3))
    except InvalidOperation:
        raise unreadable("numbers as price, volume and time of a trade") from None
    if not (price.is_finite() and volume.is_finite() and time_s.is_finite() and volume >= 0):
        raise unreadable("numbers as price, volume and time of a trade")
    return Trade(_number(row[6], "trade number"), int(time_s * SECOND_NS), price, volume)


def _of_pair(answer: object) -> object:
    """What a result says of its one pair, beside `last`."""
    result = answer.get("result") if isinstance(answer, Mapping) else None
    listed = [part for name, part in result.items() if name != "last"] if isinstance(result, Mapping) else []
    if len(listed) != 1:
        raise unreadable("a result of one pair")
    return listed[0]


def _instant(value: object) -> int:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise unreadable("an instant as interval_begin") from None
    if found.tzinfo is None:
        raise unreadable("an instant with its offset as interval_begin")
    return to_ns(found)


def _kraken_time(answer: object) -> int:
    result = answer.get("result") if isinstance(answer, Mapping) else None
    return _number(result.get("unixtime") if isinstance(result, Mapping) else None, "unixtime") * SECOND_NS


def _rows(answer: object, columns: int = 6) -> list[Sequence[object]]:
    if not isinstance(answer, list) or not all(isinstance(row, list) and len(row) >= columns for row in answer):
        raise unreadable(f"a list of rows of {columns} columns")
    return answer


def _whole(row: Sequence[object], column: int) -> int:
    return _number(row[column], f"column {column}")


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise unreadable(f"a whole number as {name}")
    return int(value)


def unreadable(want: str) -> Unavailable:
    """An answer that is none: the exchange may answer better when it is asked again."""
    return Unavailable("E_SOURCE_ANSWER", f"the exchange's answer cannot be read, want {want}")


_SPOT: Params = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}
_LINEAR: Params = {"fetchMarkets": {"types": ["linear"]}, "fetchCurrencies": False, "fetchMargins": False}

ENDPOINTS: Mapping[str, Endpoint] = {
    "binance": Endpoint(
        "binance",
        "public_get_klines",
        "public_get_time",
        page=1_000,
        weight=2,
        markets_weight=20,
        intervals_s=BINANCE_INTERVALS_S,
        options=_SPOT,
        ask=_ask_binance,
        rows=_binance_rows,
        time_ns=_binance_time,
        streamed=_binance_streamed,
    ),
    "binanceusdm": Endpoint(
        "binanceusdm",
        "fapipublic_get_klines",
        "fapipublic_get_time",
        page=1_000,
        weight=5,
        markets_weight=1,
        intervals_s=BINANCE_INTERVALS_S[1:],
        options=_LINEAR,
        ask=_ask_binance,
        rows=_binance_rows,
        time_ns=_binance_time,
        streamed=_binance_streamed,
    ),
    "kraken": Endpoint(
        "kraken",
        "public_get_ohlc",
        "public_get_time",
        page=720,
        weight=1,
        markets_weight=2,
        intervals_s=KRAKEN_INTERVALS_S,
        options={},
        ask=_ask_kraken,
        rows=_kraken_rows,
        time_ns=_kraken_time,
        streamed=_kraken_streamed,
        reach=720,
        trades=TradeEndpoint("public_get_trades", 1, _ask_kraken_trades, _kraken_trades),
    ),
}
