"""Which symbols a universe had when, and what each was called: memberships by date, from a table of them.

A symbol that was delisted, or left, stays in the past. A row says of one symbol from when until before when it was a
member, and under which ticker; a day is one of the symbol's own time zone.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

from qmtl.calendars.spans import Span
from qmtl.core.errors import refused
from qmtl.core.instants import YEARS, to_ns

COLUMNS = ("symbol", "start", "end", "ticker")
ROWS_MAX = 4096
_WANT_TIME = "a day such as 2024-05-06, a time with an offset, or nothing"


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """A row of the table. No start: since its data begins; no end: a member still."""

    line: int
    symbol: str
    start: date | None
    end: date | None
    ticker: str


@dataclass(frozen=True, slots=True)
class Membership:
    """One stay of a symbol in a universe, from `start_ns` to before `end_ns`, under the name it had then."""

    symbol: str
    ticker: str
    start_ns: int | None
    end_ns: int | None


def read_memberships(content: bytes) -> tuple[MembershipRow, ...]:
    """The rows of a CSV file with the columns symbol, start, end and, where names changed, ticker.

    Raises InvalidRequest (E_FIELD), with the line.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise refused("E_FIELD", "members", str(error), "a CSV file in UTF-8") from None
    header = tuple(name.strip().lower() for name in rows[0]) if rows else ()
    if header not in (COLUMNS, COLUMNS[:3]):
        raise refused("E_FIELD", "members line 1", repr(",".join(header)[:80]), ",".join(COLUMNS))
    if not 1 < len(rows) <= ROWS_MAX + 1:
        raise refused("E_FIELD", "members", f"{len(rows) - 1} rows", f"1 to {ROWS_MAX}")
    return tuple(_row(line, row, len(header)) for line, row in enumerate(rows[1:], 2))


def memberships_of(rows: Sequence[MembershipRow], zones: Mapping[str, str]) -> tuple[Membership, ...]:
    """The memberships of all symbols, by symbol and start. `zones`: the time zone of each symbol of the universe.

    Raises InvalidRequest (E_FIELD) for a symbol that the universe has no data of, one of it without a row, and rows of
    one symbol that overlap.
    """
    for row in rows:
        if row.symbol not in zones:
            raise refused("E_FIELD", f"members line {row.line}: symbol", repr(row.symbol), "one that a preset has")
    if missing := sorted(zones.keys() - {row.symbol for row in rows}):
        raise refused("E_FIELD", "members", f"no row of {', '.join(missing)}", "one of every symbol at least")
    found = []
    for row in rows:
        start_ns, end_ns = (_ns(edge, zones[row.symbol]) for edge in (row.start, row.end))
        if start_ns is not None and end_ns is not None and end_ns <= start_ns:
            raise refused("E_FIELD", f"members line {row.line}: end", row.end, f"after {row.start}")
        found.append((row.line, Membership(row.symbol, row.ticker or row.symbol, start_ns, end_ns)))
    found.sort(key=lambda one: (one[1].symbol, one[1].start_ns is not None, one[1].start_ns or 0))
    for (before, earlier), (line, later) in pairwise(found):
        same = earlier.symbol == later.symbol
        if same and (earlier.end_ns is None or later.start_ns is None or later.start_ns < earlier.end_ns):
            want = f"after the end of line {before}"
            raise refused("E_FIELD", f"members line {line}: start", f"{later.symbol} is a member already", want)
    return tuple(one for _, one in found)


def at(memberships: Sequence[Membership], instant_ns: int) -> tuple[Membership, ...]:
    """The members of one instant, each under its name of then, by symbol."""
    return tuple(one for one in memberships if _holds(one, instant_ns))


def stretch(memberships: Sequence[Membership], data: Sequence[tuple[str, Span]]) -> Span:
    """Where a session may begin and end, by the data of each symbol: as far as each that is a member without a start
    reaches back, and each that is one still reaches on. A start no later than any data, and an end no earlier, are
    none. Who came later, or left, bounds nothing: without any such bound, as far as there is data.
    """
    oldest_ns, newest_ns = min(span.start_ns for _, span in data), max(span.end_ns for _, span in data)
    since = {one.symbol for one in memberships if one.start_ns is None or one.start_ns <= oldest_ns}
    still = {one.symbol for one in memberships if one.end_ns is None or one.end_ns >= newest_ns}
    first = [span.start_ns for symbol, span in data if symbol in since]
    last = [span.end_ns for symbol, span in data if symbol in still]
    start_ns, end_ns = max(first, default=oldest_ns), min(last, default=newest_ns)
    return Span(start_ns, max(start_ns, end_ns))


def digest(memberships: Sequence[Membership]) -> str:
    """The fingerprint of memberships, whatever the order and the spelling of their table."""
    lines = sorted(repr((one.symbol, one.ticker, one.start_ns, one.end_ns)) for one in memberships)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _holds(one: Membership, instant_ns: int) -> bool:
    begun = one.start_ns is None or one.start_ns <= instant_ns
    return begun and (one.end_ns is None or instant_ns < one.end_ns)


def _row(line: int, row: Sequence[str], width: int) -> MembershipRow:
    if len(row) != width:
        raise refused("E_FIELD", f"members line {line}", f"{len(row)} columns", str(width))
    symbol, start, end, ticker = (*(text.strip() for text in row), "")[:4]
    for field, text in (("symbol", symbol), ("ticker", ticker)):
        if not text.isprintable() or len(text) > 128 or (field == "symbol" and not text):
            raise refused("E_FIELD", f"members line {line}: {field}", repr(text[:40]), "1 to 128 characters")
    first, last = (_day(f"members line {line}: {field}", text) for field, text in (("start", start), ("end", end)))
    return MembershipRow(line, symbol, first, last, ticker)


def _day(field: str, text: str) -> date | None:
    """A `date`, or a `datetime` with an offset."""
    if not text:
        return None
    try:
        found = date.fromisoformat(text) if len(text) == len("2024-05-06") else datetime.fromisoformat(text)
    except ValueError:
        raise refused("E_FIELD", field, repr(text[:40]), _WANT_TIME) from None
    if isinstance(found, datetime) and found.tzinfo is None:
        raise refused("E_FIELD", field, repr(text[:40]), _WANT_TIME)
    if not YEARS[0] <= found.year <= YEARS[1]:
        raise refused("E_FIELD", field, text, f"a year of {YEARS[0]} to {YEARS[1]}, or nothing for always or still")
    return found


def _ns(edge: date | None, zone: str) -> int | None:
    if edge is None:
        return None
    if not isinstance(edge, datetime):
        edge = datetime.combine(edge, time(), ZoneInfo(zone))
    return to_ns(edge.astimezone(UTC))
