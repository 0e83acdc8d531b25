"""Features in SQL; they are only ever added. Every function runs inside a caller's transaction."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from seamless.domain.features import Feature, FeatureKey
from seamless.schema import integer_column, metadata, text_column

features = sa.Table(
    "features",
    metadata,
    text_column("world_id", key=True),
    text_column("key_text", key=True),
    text_column("fingerprint"),
    text_column("factor"),
    integer_column("interval_s"),
    text_column("params"),
    text_column("instrument"),
    text_column("dataset_fingerprint"),
    integer_column("as_of_ns"),
    integer_column("first_ns"),
    integer_column("last_ns"),
    integer_column("rows"),
    text_column("columns"),
    text_column("schema_version"),
    text_column("domain"),
    text_column("published_by"),
    integer_column("published_at_ns"),
    text_column("sha256"),
    sa.Index("features_as_of", "world_id", "factor", "as_of_ns"),
)


def lock(conn: Connection) -> None:
    """Let no other process add features until the transaction ends."""
    if conn.dialect.name == "postgresql":  # an SQLite store has one writer at a time
        conn.execute(sa.text("LOCK TABLE features IN SHARE ROW EXCLUSIVE MODE"))


def add_feature(conn: Connection, made: Feature) -> None:
    """Keep a feature whose key is not there."""
    key = made.key
    row = {
        "world_id": made.world_id,
        "key_text": key.text,
        "fingerprint": made.fingerprint,
        "factor": key.factor,
        "interval_s": key.interval_s,
        "params": key.params,
        "instrument": key.instrument,
        "dataset_fingerprint": key.dataset_fingerprint,
        "as_of_ns": made.as_of_ns,
        "first_ns": made.first_ns,
        "last_ns": made.last_ns,
        "rows": made.rows,
        "columns": ",".join(made.columns),
        "schema_version": made.schema,
        "domain": made.domain.name,
        "published_by": made.published_by,
        "published_at_ns": made.published_at_ns,
        "sha256": made.sha256,
    }
    conn.execute(sa.insert(features), row)


def count(conn: Connection, world_id: str) -> int:
    """How many features a world has."""
    return conn.scalar(sa.select(sa.func.count()).where(features.c.world_id == world_id)) or 0


def of_key(conn: Connection, world_id: str, key: FeatureKey) -> Feature | None:
    """The feature of a key."""
    query = sa.select(features).where(features.c.world_id == world_id, features.c.key_text == key.text)
    row = conn.execute(query).mappings().first()
    return _feature(row) if row else None


def newest(conn: Connection, world_id: str, key: FeatureKey, as_of_ns: int | None) -> Feature | None:
    """The feature with the newest data at or before an as_of; a key without a fingerprint is of whatever data."""
    query = sa.select(features).where(
        features.c.world_id == world_id,
        features.c.factor == key.factor,
        features.c.interval_s == key.interval_s,
        features.c.params == key.params,
        features.c.instrument == key.instrument,
    )
    if key.dataset_fingerprint:
        query = query.where(features.c.dataset_fingerprint == key.dataset_fingerprint)
    if as_of_ns is not None:
        query = query.where(features.c.as_of_ns <= as_of_ns)
    order = (features.c.as_of_ns.desc(), features.c.published_at_ns.desc(), features.c.fingerprint)
    row = conn.execute(query.order_by(*order).limit(1)).mappings().first()
    return _feature(row) if row else None


def list_features(conn: Connection, world_id: str, factor: str, page: Page[tuple[str, str, str]]) -> list[Feature]:
    """Features of a world by factor, instrument and fingerprint, of one factor or, where it is empty, of all; one more
    than the page shows.
    """
    order = (features.c.factor, features.c.instrument, features.c.fingerprint)
    query = sa.select(features).where(features.c.world_id == world_id).order_by(*order)
    if factor:
        query = query.where(features.c.factor == factor)
    if page.after:
        query = query.where(sa.tuple_(*order) > page.after)
    return [_feature(row) for row in conn.execute(query.limit(page.size + 1)).mappings()]


def _feature(row: RowMapping) -> Feature:
    names = ("factor", "interval_s", "params", "instrument", "dataset_fingerprint")
    return Feature(
        world_id=row["world_id"],
        fingerprint=row["fingerprint"],
        key=FeatureKey(**{name: row[name] for name in names}),
        as_of_ns=row["as_of_ns"],
        first_ns=row["first_ns"],
        last_ns=row["last_ns"],
        rows=row["rows"],
        columns=tuple(row["columns"].split(",")),
        schema=row["schema_version"],
        domain=ExecutionDomain[row["domain"]],
        published_by=row["published_by"],
        published_at_ns=row["published_at_ns"],
        sha256=row["sha256"],
    )
