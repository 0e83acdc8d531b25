"""Which column of a table is which: by the names that exports use, or by place where there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qmtl.core.errors import refused
from seamless.domain.bars import VALUES

_NAMES = {
    "time": (
        "datetime timestamp time date opentime open_time ts t unix epoch gmttime localtime begin start datum zeit "
        "zeitpunkt fecha data heure day unixtimestamp timestampms tradedate"
    ),
    "open": "open o openprice eroffnung erster apertura ouverture first opening",
    "high": "high h highprice max hoch tageshoch maximo haut massimo",
    "low": "low l lowprice min tief tagestief minimo bas minimo",
    "close": "close c last closeprice price schluss schlusskurs letzter cierre cloture ultimo chiusura closing settle",
    "volume": "volume v vol volumen stucke umsatz quantity qty basevolume tickvol tickvolume volumebase volumes",
    "symbol": "symbol ticker instrument pair asset name isin",
}
_ALIASES = {alias: ours for ours, names in _NAMES.items() for alias in names.split()}
_PLAIN = str.maketrans("äöüßéèêáàíìóòúùçñ", "aouseeeaaiioouucn")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where our columns are: their places, `time_of_day` where dates and times stand apart; and what nobody reads."""

    places: dict[str, int]
    names: tuple[str, ...]
    headed: bool
    time_of_day: int | None = None

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self.names[place] for place in self.unread_places)

    @property
    def unread_places(self) -> tuple[int, ...]:
        """Where the columns are that nobody reads."""
        used = {*self.places.values(), self.time_of_day}
        return tuple(place for place in range(len(self.names)) if place not in used)


def find_columns(first: Sequence[str], symbol: str) -> Columns:
    """The columns of a table by its first row, which is a header or, without letters, a row already.

    Of two volumes, as of coin and money, the one named after the symbol's base counts. Raises InvalidRequest
    (E_FILE_LAYOUT) if one that is needed is not there.
    """
    if not _is_header(first):
        return _by_place(first)
    words = [_word(name) for name in first]
    places: dict[str, int] = {}
    for ours in ("time", *VALUES, "symbol"):
        found = [place for place, word in enumerate(words) if _ALIASES.get(word) == ours]
        if found:
            places[ours] = found[0] if ours != "time" else _best_time(found, words)
    if "volume" not in places:
        places |= _volume_of(words, symbol)
    missing = [ours for ours in ("time", *VALUES) if ours not in places]
    if missing:
        raise refused("E_FILE_LAYOUT", "columns", ", ".join(first)[:200] or "none", f"{', '.join(missing)} as well")
    apart = [place for place, word in enumerate(words) if word in ("time", "zeit", "heure") and place != places["time"]]
    joined = words[places["time"]] in ("date", "datum", "day", "tradedate") and apart
    return Columns(places, tuple(first), True, apart[0] if joined else None)


def _is_header(first: Sequence[str]) -> bool:
    return sum(_word(name) in _ALIASES for name in first) >= 3


def _by_place(first: Sequence[str]) -> Columns:
    """Time, open, high, low, close, volume from the left, as the exchanges' own dumps have them."""
    if len(first) < 6 or any(not re.search(r"\d", text) or re.search(r"[A-Za-z]{4}", text) for text in first[:6]):
        raise refused("E_FILE_LAYOUT", "first row", ", ".join(first)[:200], "a header, or time and five numbers")
    names = ("time", *VALUES, *(f"column {place + 1}" for place in range(6, len(first))))
    return Columns({name: place for place, name in enumerate(names[:6])}, names, False)


def _best_time(found: Sequence[int], words: Sequence[str]) -> int:
    """The fuller of several: a date and time before a date, a date before a time of day."""
    order = {"datetime": 0, "timestamp": 1, "opentime": 2, "date": 3, "datum": 3, "time": 9}
    return min(found, key=lambda place: order.get(words[place], 5))


def _volume_of(words: Sequence[str], symbol: str) -> dict[str, int]:
    base = _word(re.split(r"[-/:_]", symbol)[0])
    found = [place for place, word in enumerate(words) if word.startswith("volume")]
    named = [place for place in found if words[place] == f"volume{base}"]
    best = named or (found if len(found) == 1 else [])
    return {"volume": best[0]} if best else {}


def _word(name: str) -> str:
    """A column's name without case, accents, signs, units in brackets and numbering."""
    plain = name.strip().lower().translate(_PLAIN)
    plain = re.sub(r"^[\d.]+\s+|\(.*?\)|\[.*?\]", "", plain)
    return re.sub(r"[^a-z]", "", plain)
