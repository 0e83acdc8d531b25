"""Rows of snapshots. Series of returns change once a day and are kept once, by their hash."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.core.identity.canonical import digest
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, micros
from worldservice.risk.domain.header import SnapshotHeader, Stored
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import RiskStage
from worldservice.risk.tables import risk_scopes, risk_series, risk_snapshots

DAY_US = 86_400_000_000
DELETED_MAX = 500
_COLUMNS = [column for column in risk_snapshots.c if column.name not in ("content", "series_hash")]


def lock_scope(conn: Connection, scope: Scope) -> int:
    """Hold the scope's row until the transaction ends; the revision of its last change, 0 before the first."""
    conn.execute(_NEW_SCOPE, {"scope": scope.text})
    query = sa.select(risk_scopes.c.revision).where(risk_scopes.c.scope == scope.text).with_for_update()
    return int(conn.execute(query).scalar_one())


def insert_snapshot(conn: Connection, header: SnapshotHeader, content: bytes, series: bytes) -> None:
    """Add a snapshot and its series of returns; the caller holds the scope's lock."""
    scope, series_hash = header.scope.text, digest(series) if series else ""
    if series:
        conn.execute(_NEW_SERIES, {"scope": scope, "hash": series_hash, "content": series})
    conn.execute(
        sa.insert(risk_snapshots).values(
            scope=scope,
            version=header.version,
            stage=header.stage.value,
            actor=header.actor,
            measured=header.measured,
            as_of_us=micros(header.as_of),
            expires_us=micros(header.expires_at),
            created_us=micros(header.created_at),
            revision=header.revision,
            hash=header.hash,
            content=content,
            series_hash=series_hash,
            figures=json.dumps(dict(header.figures)),
        )
    )
    conn.execute(sa.update(risk_scopes).where(risk_scopes.c.scope == scope).values(revision=header.revision))


def find_header(conn: Connection, scope: Scope, version: str) -> SnapshotHeader | None:
    """A snapshot by version, or None."""
    where = (risk_snapshots.c.scope == scope.text, risk_snapshots.c.version == version)
    row = conn.execute(sa.select(*_COLUMNS).where(*where)).mappings().one_or_none()
    return None if row is None else _header(row)


def newest(
    conn: Connection,
    scope: Scope,
    stage: RiskStage | None = None,
    actor: str = "",
    until: datetime | None = None,
) -> SnapshotHeader | None:
    """The snapshot with the highest as_of, ties by revision; of a stage and actor, and at most `until`, where given.

    Where no actor is named, one that a service measured comes before any that a person put, expired or not: books are
    not outvoted by a later statement.
    """
    table = risk_snapshots.c
    query = sa.select(*_COLUMNS).where(table.scope == scope.text)
    if stage is not None:
        query = query.where(table.stage == stage.value)
    if actor:
        query = query.where(table.actor == actor)
    if until is not None:
        query = query.where(table.as_of_us <= micros(until))
    if not actor:
        query = query.order_by(table.measured.desc())
    row = conn.execute(query.order_by(table.as_of_us.desc(), table.revision.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else _header(row)


def standing(conn: Connection, scope: Scope) -> list[SnapshotHeader]:
    """The newest of each stage and actor, by revision."""
    table = risk_snapshots.c
    pairs = conn.execute(sa.select(table.stage, table.actor).where(table.scope == scope.text).distinct()).all()
    found = [newest(conn, scope, RiskStage(stage), actor) for stage, actor in pairs]
    return sorted((one for one in found if one is not None), key=lambda one: one.revision)


def after_revision(conn: Connection, scope: Scope, revision: int, limit: int) -> list[SnapshotHeader]:
    """Snapshots that came after a revision, in order of it."""
    where = (risk_snapshots.c.scope == scope.text, risk_snapshots.c.revision > revision)
    query = sa.select(*_COLUMNS).where(*where).order_by(risk_snapshots.c.revision).limit(limit)
    return [_header(row) for row in conn.execute(query).mappings()]


def list_snapshots(
    conn: Connection, scope: Scope, stage: RiskStage | None, page: Page[tuple[int, int]]
) -> list[SnapshotHeader]:
    """Newest as_of first; `after` is as_of in microseconds and the revision."""
    table = risk_snapshots.c
    query = sa.select(*_COLUMNS).where(table.scope == scope.text)
    if stage is not None:
        query = query.where(table.stage == stage.value)
    if page.after is not None:
        as_of, revision = page.after
        query = query.where(sa.or_(table.as_of_us < as_of, sa.and_(table.as_of_us == as_of, table.revision < revision)))
    query = query.order_by(table.as_of_us.desc(), table.revision.desc()).limit(page.size + 1)
    return [_header(row) for row in conn.execute(query).mappings()]


def load_snapshot(conn: Connection, header: SnapshotHeader) -> Stored:
    """A snapshot with its content. Raises NotFound (E_SNAPSHOT_UNKNOWN)."""
    table = risk_snapshots.c
    query = (
        sa.select(table.content, risk_series.c.content.label("series"))
        .select_from(
            risk_snapshots.outerjoin(
                risk_series, sa.and_(risk_series.c.scope == table.scope, risk_series.c.hash == table.series_hash)
            )
        )
        .where(table.scope == header.scope.text, table.version == header.version)
    )
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        raise unknown(header.scope, header.version)
    return Stored(header, bytes(row["content"]) + bytes(row["series"] or b""))  # messages merge by being joined


def unknown(scope: Scope, what: str) -> NotFound:
    """The error of a snapshot that is not there."""
    return NotFound("E_SNAPSHOT_UNKNOWN", f"{scope} has no snapshot {what}", hint="list the snapshots of the scope")


def scopes_with_snapshots(conn: Connection) -> list[Scope]:
    """Every scope that has ever had one."""
    query = sa.select(risk_scopes.c.scope).order_by(risk_scopes.c.scope)
    return [Scope(text) for text in conn.execute(query).scalars()]


def delete_old(conn: Connection, scope: Scope, now: datetime, whole: timedelta, daily: timedelta) -> int:
    """Thin out what is older than `whole` to the last of each UTC day, stage and actor; drop what is past `daily`.

    At most DELETED_MAX rows; how many went. The newest of each stage and actor stays. The caller holds the scope.
    """
    table, other = risk_snapshots.c, risk_snapshots.alias("later").c
    later = sa.and_(
        other.scope == table.scope,
        other.stage == table.stage,
        other.actor == table.actor,
        sa.or_(
            other.as_of_us > table.as_of_us,
            sa.and_(other.as_of_us == table.as_of_us, other.revision > table.revision),
        ),
    )
    same_day = other.as_of_us - other.as_of_us % DAY_US == table.as_of_us - table.as_of_us % DAY_US
    thinned = sa.and_(table.created_us < micros(now - whole), sa.exists().where(later, same_day))
    dropped = sa.and_(table.created_us < micros(now - daily), sa.exists().where(later))
    query = sa.select(table.version).where(table.scope == scope.text, sa.or_(thinned, dropped)).limit(DELETED_MAX)
    doomed = list(conn.execute(query).scalars())
    if doomed:
        conn.execute(sa.delete(risk_snapshots).where(table.scope == scope.text, table.version.in_(doomed)))
        used = sa.exists().where(table.scope == risk_series.c.scope, table.series_hash == risk_series.c.hash)
        conn.execute(sa.delete(risk_series).where(risk_series.c.scope == scope.text, ~used))
    return len(doomed)


_NEW_SCOPE = sa.text("INSERT INTO risk_scopes (scope, revision) VALUES (:scope, 0) ON CONFLICT DO NOTHING")
_NEW_SERIES = sa.text(
    "INSERT INTO risk_series (scope, hash, content) VALUES (:scope, :hash, :content) ON CONFLICT DO NOTHING"
)


def _header(row: RowMapping) -> SnapshotHeader:
    return SnapshotHeader(
        scope=Scope(row["scope"]),
        version=row["version"],
        stage=RiskStage(row["stage"]),
        actor=row["actor"],
        measured=row["measured"],
        as_of=instant(row["as_of_us"]),
        expires_at=instant(row["expires_us"]),
        created_at=instant(row["created_us"]),
        revision=row["revision"],
        hash=row["hash"],
        figures=json.loads(row["figures"]),
    )
