"""Rows of divergence reports. A report is stored as the message that tells it, and never changes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.reports.tables import divergence_reports
from worldservice.worlds.wire import domain_from_proto


def append_report(conn: Connection, report: divergencepb.DivergenceReport) -> None:
    """Add one."""
    key = {"world_id": report.world_id, "strategy_id": report.strategy_id, "report_id": report.report_id}
    domain = domain_from_proto(report.execution_domain, "execution_domain").value
    body = report.SerializeToString(deterministic=True)
    conn.execute(sa.insert(divergence_reports).values(**key, domain=domain, report=body))


def find_report(
    conn: Connection, world_id: str, strategy_id: str, report_id: str = ""
) -> divergencepb.DivergenceReport | None:
    """A report by its id, without one the newest; None: there is none."""
    table = divergence_reports
    query = sa.select(table.c.report).where(table.c.world_id == world_id, table.c.strategy_id == strategy_id)
    if report_id:
        query = query.where(table.c.report_id == report_id)
    body = conn.execute(query.order_by(table.c.sequence.desc()).limit(1)).scalar_one_or_none()
    return None if body is None else divergencepb.DivergenceReport.FromString(body)


def newest_of(
    conn: Connection, world_id: str, strategy_id: str, domain: ExecutionDomain, limit: int
) -> list[divergencepb.DivergenceReport]:
    """The newest reports on trading in a domain, newest first, at most so many."""
    table = divergence_reports
    query = sa.select(table.c.report).where(table.c.world_id == world_id, table.c.strategy_id == strategy_id)
    query = query.where(table.c.domain == domain.value).order_by(table.c.sequence.desc()).limit(limit)
    return [divergencepb.DivergenceReport.FromString(body) for body in conn.execute(query).scalars()]


def list_reports(
    conn: Connection, world_id: str, strategy_id: str, page: Page[tuple[int]]
) -> list[tuple[int, divergencepb.DivergenceReport]]:
    """Reports on a strategy, newest first, with their sequence."""
    table = divergence_reports
    query = sa.select(table.c.sequence, table.c.report)
    query = query.where(table.c.world_id == world_id, table.c.strategy_id == strategy_id)
    if page.after is not None:
        query = query.where(table.c.sequence < page.after[0])
    rows = conn.execute(query.order_by(table.c.sequence.desc()).limit(page.size + 1))
    return [(row.sequence, divergencepb.DivergenceReport.FromString(row.report)) for row in rows]


def all_reports(conn: Connection, world_id: str, strategy_id: str) -> list[divergencepb.DivergenceReport]:
    """Every report on a strategy, oldest first."""
    table = divergence_reports
    query = sa.select(table.c.report).where(table.c.world_id == world_id, table.c.strategy_id == strategy_id)
    rows = conn.execute(query.order_by(table.c.sequence)).scalars()
    return [divergencepb.DivergenceReport.FromString(body) for body in rows]
