"""Limits of tags, intervals and periods, checked where an author writes them.

Bad input is refused once, with the field, the value and what is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from qmtl.core.errors import refused
from qmtl.core.identity.dag import TAG, TAGS_MAX

INTERVAL_S_MAX = 7 * 86_400
PERIOD_MAX = 10_000

_INTERVAL = re.compile(r"([1-9][0-9]*)([smhdw])", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_interval(text: str) -> int:
    """Seconds of "15m", "1h", "1d" ...; 1 s to 1 w. Raises InvalidRequest (E_INTERVAL)."""
    match = _INTERVAL.fullmatch(text)
    seconds = int(match[1]) * _UNIT_S[match[2]] if match and len(match[1]) <= 9 else 0
    if not 1 <= seconds <= INTERVAL_S_MAX:
        raise refused("E_INTERVAL", "interval", text, "a number and one of s m h d w, from 1s to 1w")
    return seconds


def check_period(period: int, field: str = "period") -> int:
    """A count of bars, 1 to 10,000. Raises InvalidRequest (E_PERIOD)."""
    if isinstance(period, bool) or not isinstance(period, int) or not 1 <= period <= PERIOD_MAX:
        raise refused("E_PERIOD", field, period, f"a whole number of bars from 1 to {PERIOD_MAX}")
    return period


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Trimmed, unique, sorted tags. Raises InvalidRequest (E_TAG)."""
    trimmed = sorted({tag.strip() for tag in tags})
    for tag in trimmed:
        if not TAG.fullmatch(tag):
            raise refused("E_TAG", "tags", repr(tag), "1 to 100 of the characters A-Z a-z 0-9 _ . -")
    if len(trimmed) > TAGS_MAX:
        raise refused("E_TAG", "tags", f"{len(trimmed)} tags", f"at most {TAGS_MAX}")
    return tuple(trimmed)


def tag_of(symbol: str) -> str:
    """A symbol as a tag: characters a tag cannot hold become '-'."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", symbol, flags=re.ASCII)[:100]
