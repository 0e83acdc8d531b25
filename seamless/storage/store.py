"""Stored files and coverage in SQL. Every function runs inside a caller's transaction.

The row of a dataset is written first in every change, so two changes of one dataset never interleave.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.calendars.spans import Coverage, Span, as_stored
from seamless.domain.stored import Provenance, StoredCoverage, with_delivery
from seamless.schema import integer_column, metadata, text_column

stored = sa.Table("stored", metadata, text_column("dataset", key=True), integer_column("version"))
parts = sa.Table(
    "stored_parts",
    metadata,
    text_column("dataset", key=True),
    text_column("month", key=True),
    integer_column("sequence", key=True),
    text_column("file"),
    text_column("sha256"),
    integer_column("rows"),
    integer_column("start_ns"),
    integer_column("end_ns"),
    text_column("producer"),
)
stored_spans = sa.Table(
    "stored_spans",
    metadata,
    text_column("dataset", key=True),
    text_column("statement", key=True),
    integer_column("start_ns", key=True),
    integer_column("end_ns"),
    sqlite_with_rowid=False,  # read in the key's order, whole
)
_COUNT_CHANGE = sa.text(
    "INSERT INTO stored (dataset, version) VALUES (:dataset, 1)"
    " ON CONFLICT (dataset) DO UPDATE SET version = stored.version + 1 RETURNING version"
)
_STATEMENTS = ("read", "have", "empty", "outage", "unsettled")


@dataclass(frozen=True, slots=True)
class Part:
    """A file with bars of one month. Parts of a month lie over each other in the order of their sequence."""

    month: str
    file: str
    sha256: str
    rows: int
    span: Span
    producer: str
    sequence: int = 0


def add_delivery(
    conn: Connection, dataset: str, made: Sequence[Part], have: Coverage, span: Span, provenance: Provenance
) -> None:
    """Count new files in, and what their source said about the span."""
    version = _next_version(conn, dataset)
    if made:
        conn.execute(sa.insert(parts), [_row(dataset, part, version) for part in made])
    near = _coverage(conn, dataset, span)
    after = with_delivery(near, have, span, provenance)
    conn.execute(sa.delete(stored_spans).where(*_touching(dataset, span)))
    rows = [
        {"dataset": dataset, "statement": name, "start_ns": one.start_ns, "end_ns": one.end_ns}
        for name in _STATEMENTS
        for one in getattr(after, name)
    ]
    conn.execute(sa.insert(stored_spans), rows)


def replace_parts(conn: Connection, dataset: str, old: Sequence[Part], new: Part) -> bool:
    """Put one file in the place of several; False, and nothing done, if any of them counts no more."""
    _next_version(conn, dataset)
    here = (parts.c.dataset == dataset, parts.c.month == new.month)
    names = [part.file for part in old]
    found = conn.scalars(sa.select(parts.c.file).where(*here, parts.c.file.in_(names))).all()
    if sorted(found) != sorted(names):
        return False
    conn.execute(sa.delete(parts).where(*here, parts.c.file.in_(names)))
    conn.execute(sa.insert(parts), _row(dataset, new, max(part.sequence for part in old)))
    return True


def version_of(conn: Connection, dataset: str) -> int:
    """How often the dataset was written; 0: never."""
    return conn.scalar(sa.select(stored.c.version).where(stored.c.dataset == dataset)) or 0


def datasets(conn: Connection) -> list[str]:
    """Every dataset that was ever written."""
    return list(conn.scalars(sa.select(stored.c.dataset).order_by(stored.c.dataset)))


def load_coverage(conn: Connection, dataset: str) -> StoredCoverage:
    """All that is known of a dataset's spans."""
    return _coverage(conn, dataset, None, version_of(conn, dataset))


def parts_of(conn: Connection, dataset: str, span: Span | None = None) -> list[Part]:
    """The files that may hold bars of a span, or all, by month and in the order in which they lie."""
    query = sa.select(parts).where(parts.c.dataset == dataset).order_by(parts.c.month, parts.c.sequence)
    if span is not None:
        query = query.where(parts.c.start_ns < span.end_ns, parts.c.end_ns > span.start_ns)
    return [
        Part(
            row["month"],
            row["file"],
            row["sha256"],
            row["rows"],
            Span(row["start_ns"], row["end_ns"]),
            row["producer"],
            row["sequence"],
        )
        for row in conn.execute(query).mappings()
    ]


def _next_version(conn: Connection, dataset: str) -> int:
    """Count a change; in PostgreSQL this holds the dataset's row until the transaction ends."""
    return int(conn.execute(_COUNT_CHANGE, {"dataset": dataset}).scalar_one())


def _coverage(conn: Connection, dataset: str, near: Span | None, version: int = 0) -> StoredCoverage:
    where = (stored_spans.c.dataset == dataset,) if near is None else _touching(dataset, near)
    read, have, empty, outage, unsettled = (_spans_of(conn, name, where) for name in _STATEMENTS)
    return StoredCoverage(read, have, empty, outage, unsettled, version)


def _spans_of(conn: Connection, statement: str, where: Iterable[sa.ColumnElement[bool]]) -> Coverage:
    """The spans of one statement, in order."""
    query = sa.select(stored_spans.c.start_ns, stored_spans.c.end_ns).where(*where)
    query = query.where(stored_spans.c.statement == statement).order_by(stored_spans.c.start_ns)
    # the driver's own rows: thousands of them, of plain columns, cost half of what rows of the library do
    cursor = conn.execute(query).cursor
    return as_stored(cursor.fetchall()) if cursor is not None else ()


def _touching(dataset: str, span: Span) -> Iterable[sa.ColumnElement[bool]]:
    """Spans that overlap one or meet it."""
    return (
        stored_spans.c.dataset == dataset,
        stored_spans.c.start_ns <= span.end_ns,
        stored_spans.c.end_ns >= span.start_ns,
    )


def _row(dataset: str, part: Part, sequence: int) -> dict[str, str | int]:
    return {
        "dataset": dataset,
        "month": part.month,
        "sequence": sequence,
        "file": part.file,
        "sha256": part.sha256,
        "rows": part.rows,
        "start_ns": part.span.start_ns,
        "end_ns": part.span.end_ns,
        "producer": part.producer,
    }
