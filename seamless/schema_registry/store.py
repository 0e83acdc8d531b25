"""Schema versions and the log of their promotions in SQL; both only grow.

Every function runs inside a caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from seamless.domain.row_schemas import Column, ColumnType, Promotion, SchemaVersion, Stage
from seamless.schema import integer_column, metadata, text_column

versions = sa.Table(
    "schema_versions",
    metadata,
    text_column("name", key=True),
    integer_column("major", key=True),
    integer_column("minor", key=True),
    text_column("registered_by"),
    integer_column("registered_at_ns"),
)
columns = sa.Table(
    "schema_columns",
    metadata,
    text_column("name", key=True),
    integer_column("major", key=True),
    integer_column("minor", key=True),
    integer_column("place", key=True),
    text_column("column_name"),
    text_column("type"),
    sa.Column("required", sa.Boolean, nullable=False),
)
promotions = sa.Table(
    "schema_promotions",
    metadata,
    text_column("name", key=True),
    integer_column("number", key=True),
    integer_column("major"),
    integer_column("minor"),
    text_column("before"),
    text_column("after"),
    text_column("subject"),
    integer_column("at_ns"),
    text_column("cause"),
)


VersionKey = tuple[str, int, int]
"""Name, major and minor number of a version."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version, and who registered it."""

    version: SchemaVersion
    subject: str
    at_ns: int

    @property
    def key(self) -> VersionKey:
        return self.version.name, self.version.major, self.version.minor


def lock(conn: Connection) -> None:
    """Let no other process add versions or promotions until the transaction ends."""
    if conn.dialect.name == "postgresql":  # an SQLite store has one writer at a time
        conn.execute(sa.text("LOCK TABLE schema_versions, schema_promotions IN SHARE ROW EXCLUSIVE MODE"))


def add_version(conn: Connection, made: Registered) -> None:
    """Keep a new version."""
    version = made.version
    key = {"name": version.name, "major": version.major, "minor": version.minor}
    conn.execute(sa.insert(versions), {**key, "registered_by": made.subject, "registered_at_ns": made.at_ns})
    rows = [
        {**key, "place": place, "column_name": one.name, "type": one.type.name, "required": one.required}
        for place, one in enumerate(version.columns)
    ]
    conn.execute(sa.insert(columns), rows)


def names(conn: Connection) -> list[str]:
    """Every schema, by name."""
    return list(conn.scalars(sa.select(versions.c.name).distinct().order_by(versions.c.name)))


def versions_of(conn: Connection, name: str) -> list[Registered]:
    """The versions of a schema, oldest first."""
    order = (columns.c.major, columns.c.minor, columns.c.place)
    found: dict[tuple[int, int], list[Column]] = {}
    for row in conn.execute(sa.select(columns).where(columns.c.name == name).order_by(*order)).mappings():
        column = Column(row["column_name"], ColumnType[row["type"]], row["required"])
        found.setdefault((row["major"], row["minor"]), []).append(column)
    query = sa.select(versions).where(versions.c.name == name).order_by(versions.c.major, versions.c.minor)
    return [_registered(row, found) for row in conn.execute(query).mappings()]


def promotions_of(conn: Connection, name: str) -> list[Promotion]:
    """The promotions of a schema's versions, in order."""
    query = sa.select(promotions).where(promotions.c.name == name).order_by(promotions.c.number)
    return [
        Promotion(
            major=row["major"],
            minor=row["minor"],
            before=Stage[row["before"]],
            after=Stage[row["after"]],
            subject=row["subject"],
            at_ns=row["at_ns"],
            cause=row["cause"],
        )
        for row in conn.execute(query).mappings()
    ]


def add_promotion(conn: Connection, name: str, act: Promotion) -> None:
    """Log a promotion after those there are."""
    last = conn.scalar(sa.select(sa.func.max(promotions.c.number)).where(promotions.c.name == name))
    row = {
        "name": name,
        "number": (last or 0) + 1,
        "major": act.major,
        "minor": act.minor,
        "before": act.before.name,
        "after": act.after.name,
        "subject": act.subject,
        "at_ns": act.at_ns,
        "cause": act.cause,
    }
    conn.execute(sa.insert(promotions), row)


def _registered(row: RowMapping, found: dict[tuple[int, int], list[Column]]) -> Registered:
    key = (row["major"], row["minor"])
    version = SchemaVersion(row["name"], *key, tuple(found.get(key, ())))
    return Registered(version, row["registered_by"], row["registered_at_ns"])
