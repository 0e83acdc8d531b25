"""Fingerprints: what the data is, whatever file, encoder or machine holds it.

A leaf hashes one UTC month of one dataset over canonical decimal text; a range hashes its leaves with
the rules they were judged by; a world's data hashes its datasets. Any language can recompute them:
the exact text is below, the vectors are in tests.

    leaf   = SHA-256("qmtl-leaf-1\\n{dataset}\\n{YYYY-MM}\\n" + one "{time_ns},{o},{h},{l},{c},{v}\\n" a row)
    range  = SHA-256("qmtl-range-1\\n" + "{YYYY-MM} {leaf}\\n"... + "schema {name}={type},...\\n"
                     "rules {rule_version}\\ncalendar {name} {version}\\n")
    world  = SHA-256("qmtl-world-data-1\\n" + "{dataset} {range}\\n" sorted)
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Span
from seamless.domain.bars import SCHEMA, Bars

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """The hash of one month's rows."""

    month: str
    digest: str
    rows: int


def leaves(dataset: str, table: Bars, known: Mapping[str, Leaf] | None = None) -> tuple[Leaf, ...]:
    """One leaf for each month that has rows, in order; months in `known` are not hashed again."""
    found: list[Leaf] = []
    for month, rows in by_month(table):
        kept = (known or {}).get(month)
        found.append(
            kept if kept and kept.rows == len(rows) else Leaf(month, leaf_digest(dataset, month, rows), len(rows))
        )
    return tuple(found)


def leaf_digest(dataset: str, month: str, table: Bars) -> str:
    """The hash of one month's rows."""
    hasher = hashlib.sha256(f"qmtl-leaf-1\n{dataset}\n{month}\n".encode())
    columns = ([str(t) for t in table.time_ns.tolist()], *(decimals(v) for v in table.values()))
    hasher.update("".join(",".join(row) + "\n" for row in zip(*columns, strict=True)).encode())
    return _name(hasher.digest())


def range_digest(parts: Sequence[Leaf], calendar: Calendar, rule_version: str) -> str:
    """The fingerprint of a range: its leaves, the schema, the rules and the calendar."""
    months = "".join(f"{leaf.month} {leaf.digest}\n" for leaf in parts)
    schema = ",".join(f"{name}={kind}" for name, kind in SCHEMA)
    rules = f"schema {schema}\nrules {rule_version}\ncalendar {calendar.name} {calendar.version}\n"
    return _name(hashlib.sha256(f"qmtl-range-1\n{months}{rules}".encode()).digest())


def world_digest(ranges: Mapping[str, str]) -> str:
    """The fingerprint of all the data a world reads: its datasets with their range fingerprints."""
    lines = "".join(f"{dataset} {ranges[dataset]}\n" for dataset in sorted(ranges))
    return _name(hashlib.sha256(f"qmtl-world-data-1\n{lines}".encode()).digest())


def decimals(values: NDArray[np.float64]) -> list[str]:
    """Canonical decimal text: shortest round trip, plain notation, no trailing zeros, one zero."""
    if not np.isfinite(values).all():
        raise ValueError("values to fingerprint must be finite")
    return [_plain(text) for text in map(repr, (values + 0.0).tolist())]


def by_month(table: Bars) -> Iterable[tuple[str, Bars]]:
    """The rows of each UTC month that has any, in order."""
    first = 0
    while first < len(table):
        month = month_of(int(table.time_ns[first]))
        rest = int(np.searchsorted(table.time_ns, month_span(month).end_ns))
        yield month, table.take(slice(first, rest))
        first = rest


def month_of(instant_ns: int) -> str:
    """The UTC month of an instant, `YYYY-MM`."""
    return datetime.fromtimestamp(instant_ns // _NS, UTC).strftime("%Y-%m")


def month_span(month: str) -> Span:
    """From the first instant of a month to the first of the next."""
    year, number = map(int, month.split("-"))
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return Span(int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * _NS, int(following.timestamp()) * _NS)


def months_of(span: Span) -> Iterator[Span]:
    """The UTC months that a span has part in, in order."""
    at = span.start_ns
    while at < span.end_ns:
        month = month_span(month_of(at))
        yield month
        at = month.end_ns


def _plain(text: str) -> str:
    if "e" in text:
        text = format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text


def _name(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"
