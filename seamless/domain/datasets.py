"""What a dataset is called: `kind:source:symbol:interval`, each component percent-encoded.

Any symbol fits (`BTC/USDT:USDT`); a name that does not round-trip to itself is refused, so one
dataset has exactly one name.
"""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote_to_bytes

from qmtl.core.errors import InvalidRequest

NS = 1_000_000_000
WEEK_S = 7 * 86_400
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": WEEK_S}
_INTERVAL = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_COMPONENT_LIMIT = 128


class Kind(Enum):
    """What a dataset's rows are."""

    OHLCV = "ohlcv"
    TRADES = "trades"
    QUOTES = "quotes"


@dataclass(frozen=True, slots=True)
class DatasetId:
    """The identity of one stream of market data; `str()` gives its canonical name."""

    kind: Kind
    source: str
    symbol: str
    interval_s: int

    def __str__(self) -> str:
        parts = (self.kind.value, self.source, self.symbol, format_interval(self.interval_s))
        return ":".join(quote(part, safe="") for part in parts)

    @property
    def interval_ns(self) -> int:
        return self.interval_s * NS


def parse_dataset(text: str) -> DatasetId:
    """Read a canonical name; anything that is not exactly what `str()` would write is refused."""
    parts = text.split(":")
    if len(parts) != 4:
        raise _bad_dataset(text, "kind:source:symbol:interval")
    kind, source, symbol, interval = (_decode(part, text) for part in parts)
    if kind not in {k.value for k in Kind}:
        raise _bad_dataset(text, "a kind of ohlcv, trades or quotes")
    dataset = DatasetId(Kind(kind), source, symbol, parse_interval(interval))
    if str(dataset) != text:
        raise _bad_dataset(text, f"the canonical spelling {dataset}")
    return dataset


def parse_interval(text: str) -> int:
    """Seconds of an interval such as `15m`; from one second to one week."""
    match = _INTERVAL.fullmatch(text)
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not 1 <= seconds <= WEEK_S:
        raise InvalidRequest("E_INTERVAL", f"interval {text!r}: want 1s to 1w, such as 15m")
    return seconds


def format_interval(seconds: int) -> str:
    """The canonical text of an interval: the largest unit that divides it."""
    if not 1 <= seconds <= WEEK_S:
        raise InvalidRequest("E_INTERVAL", f"interval {seconds} s: want 1 s to 1 w")
    unit = next(u for u in "wdhms" if seconds % _UNIT_S[u] == 0)
    return f"{seconds // _UNIT_S[unit]}{unit}"


def _decode(part: str, text: str) -> str:
    try:
        decoded = unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise _bad_dataset(text, "percent-encoded UTF-8") from None
    if not 1 <= len(decoded) <= _COMPONENT_LIMIT:
        raise _bad_dataset(text, f"components of 1 to {_COMPONENT_LIMIT} characters")
    return decoded


def _bad_dataset(text: str, want: str) -> InvalidRequest:
    return InvalidRequest("E_DATASET_NAME", f"dataset {text!r}: want {want}")
