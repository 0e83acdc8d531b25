"""Rows of the audit log, appended and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.paging import Page
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared
from worldservice.worlds.domain.audit import AuditRow, Recorded
from worldservice.worlds.tables import audit_log

REQUEST_MAX = 16_384
AUDIT_BYTES_MAX = 1024 * 1024  # read for a page: as much as a reply may have
RECORDS_AT_ONCE = 16  # each may hold a whole activation


def append_audit(conn: Connection, row: AuditRow) -> None:
    """`sequence` is given by the store; the request is cut to what a person would still read."""
    values: dict[str, object] = {
        "world_id": row.world_id,
        "actor": row.actor,
        "event": row.event,
        "request": row.request[:REQUEST_MAX],
        "result": row.result,
        "detail": row.detail[:REQUEST_MAX],
        "correlation_id": row.correlation_id,
        "time_us": micros(row.time),
        "record": None,
        "record_revision": None,
        "record_whole": None,
    }
    if row.record is not None:
        values["record"] = row.record.content
        values["record_revision"], values["record_whole"] = row.record.revision, row.record.whole
    _APPEND_AUDIT.send(conn, values)


def list_audit(conn: Connection, world_id: str, page: Page[tuple[int]]) -> list[AuditRow]:
    """Newest first; `after` is the last sequence seen."""
    query = sa.select(audit_log).where(audit_log.c.world_id == world_id).order_by(audit_log.c.sequence.desc())
    if page.after is not None:
        query = query.where(audit_log.c.sequence < page.after[0])
    return [_audit(row) for row in conn.execute(query.limit(page.size + 1)).mappings()]


def rows_naming(conn: Connection, world_id: str, named: str, at: datetime, most: int) -> tuple[list[AuditRow], int]:
    """The newest rows of a world until an instant that name something in request or detail, oldest first, and how many
    older ones there are. Records of the activation are not read.
    """
    table = audit_log.c
    names = sa.or_(table.request.contains(named, autoescape=True), table.detail.contains(named, autoescape=True))
    where = (table.world_id == world_id, table.time_us <= micros(at), names)
    columns = [column for column in audit_log.columns if column.name != "record"]
    query = sa.select(*columns, sa.null().label("record")).where(*where)
    rows = [_audit(row) for row in conn.execute(query.order_by(table.sequence.desc()).limit(most)).mappings()]
    counted = conn.execute(sa.select(sa.func.count()).select_from(audit_log).where(*where)).scalar_one()
    return rows[::-1], counted - len(rows)


def audit_page(conn: Connection, world_id: str, page: Page[tuple[int]]) -> Page[tuple[int]]:
    """The page with no more rows than make a message that every peer takes; one at least."""
    table = audit_log.c
    query = sa.select(_AUDIT_BYTES).where(table.world_id == world_id).order_by(table.sequence.desc())
    if page.after is not None:
        query = query.where(table.sequence < page.after[0])
    total = 0
    for count, size in enumerate(conn.execute(query.limit(page.size)).scalars()):
        total += size
        if total > AUDIT_BYTES_MAX:
            return replace(page, size=max(count, 1))
    return page


def recorded_revision(conn: Connection, world_id: str) -> int | None:
    """The revision of the newest record of a world's activation; None when it has none."""
    revision: int | None = _RECORDED.rows(conn, {"world": world_id}).scalar_one_or_none()
    return revision


def records_until(conn: Connection, world_id: str, revision: int) -> Iterator[bytes]:
    """The records that lead to a revision (0: the newest), from the last whole one before it on; read as they are."""
    table = audit_log.c
    where = [table.world_id == world_id, table.record.is_not(None)]
    if revision:
        where.append(table.record_revision <= revision)
    whole = sa.select(sa.func.max(table.sequence)).where(*where, table.record_whole.is_(True)).scalar_subquery()
    query = sa.select(table.record).where(*where, table.sequence >= whole).order_by(table.sequence)
    yield from conn.execute(query, execution_options={"yield_per": RECORDS_AT_ONCE}).scalars()


def _audit(row: RowMapping) -> AuditRow:
    content = row["record"]
    return AuditRow(
        sequence=row["sequence"],
        world_id=row["world_id"],
        actor=row["actor"],
        event=row["event"],
        request=row["request"],
        result=row["result"],
        detail=row["detail"],
        correlation_id=row["correlation_id"],
        time=instant(row["time_us"]),
        record=None if content is None else Recorded(row["record_revision"], row["record_whole"], content),
    )


_APPEND_AUDIT = Prepared(sa.insert(audit_log))
_RECORDED = Prepared(
    sa.select(audit_log.c.record_revision)
    .where(audit_log.c.world_id == sa.bindparam("world"), audit_log.c.record.is_not(None))
    .order_by(audit_log.c.sequence.desc())
    .limit(1)
)
_AUDIT_BYTES = (  # a request is ASCII, a detail may be anything
    512
    + sa.func.length(audit_log.c.request)
    + 4 * sa.func.length(audit_log.c.detail)
    + sa.func.coalesce(sa.func.length(audit_log.c.record), 0)
)
