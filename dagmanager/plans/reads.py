"""Plans as people ask for them, in bounded pages, limited to what a token may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.access import Worlds
from dagmanager.plans import store
from dagmanager.tables import dags, plan_contexts
from dagmanager.tables import plans as plan_rows
from qmtl.core.errors import PermissionDenied
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import plan_pb2 as planpb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.sql.instants import instant
from qmtl.sql.statements.lists import bounded
from qmtl.wire.instants import instant_to_proto
from qmtl.wire.paging import page_from_proto, page_of


def get_plan(conn: Connection, strategy_id: str, version: int, worlds: Worlds) -> planpb.Plan:
    """One plan; version 0 is the newest. Raises NotFound (E_PLAN_UNKNOWN), PermissionDenied."""
    ref = store.require_plan(conn, strategy_id, version)
    require_visible(conn, strategy_id, worlds)
    row = conn.execute(
        sa.select(plan_rows, dags.c.digest)
        .join(dags, dags.c.dag_id == plan_rows.c.dag_id)
        .where(plan_rows.c.strategy_id == strategy_id, plan_rows.c.version == ref.version)
    ).one()
    return _plan(row, _live_worlds(conn, [(strategy_id, ref.version)], worlds))


def plan_nodes(
    conn: Connection, request: planservicepb.ListPlanNodesRequest, worlds: Worlds
) -> planservicepb.ListPlanNodesResponse:
    """Nodes of a plan's DAG in its order; all pages are of the first page's plan. Raises NotFound, PermissionDenied."""
    page = page_from_proto(request, (int, int))
    version = request.version if page.after is None else page.after[1]
    ref = store.require_plan(conn, request.strategy_id, version)
    require_visible(conn, request.strategy_id, worlds)
    first = 0 if page.after is None else max(0, page.after[0] + 1)
    rows = list(enumerate(_dag(conn, ref.dag_id).nodes[first : first + page.size + 1], first))
    nodes, info = page_of(rows, page, lambda row: (row[0], ref.version), lambda row: row[1])
    return planservicepb.ListPlanNodesResponse(nodes=nodes, version=ref.version, page=info)


def whole_dag(conn: Connection, strategy_id: str, version: int) -> dagpb.Dag:
    """All nodes of a plan at once. Raises NotFound (E_PLAN_UNKNOWN)."""
    return _dag(conn, store.require_plan(conn, strategy_id, version).dag_id)


def list_plans(
    conn: Connection, request: planservicepb.ListPlansRequest, worlds: Worlds
) -> planservicepb.ListPlansResponse:
    """Plans, newest first."""
    page = page_from_proto(request, (int, str, int))
    order = (plan_rows.c.created_us, plan_rows.c.strategy_id, plan_rows.c.version)
    wanted = sa.select(plan_rows, dags.c.digest).join(dags, dags.c.dag_id == plan_rows.c.dag_id)
    if request.strategy_id:
        wanted = wanted.where(plan_rows.c.strategy_id == request.strategy_id)
    if worlds is not None:
        seen = sa.exists().where(
            plan_contexts.c.strategy_id == plan_rows.c.strategy_id, plan_contexts.c.world_id.in_(worlds)
        )
        wanted = wanted.where(seen)
    if page.after is not None:
        wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, page.after)))
    rows = conn.execute(wanted.order_by(*(column.desc() for column in order)).limit(page.size + 1)).all()
    live = _live_worlds(conn, [(row.strategy_id, row.version) for row in rows], worlds)
    plans, info = page_of(
        rows, page, lambda row: (row.created_us, row.strategy_id, row.version), lambda row: _plan(row, live)
    )
    return planservicepb.ListPlansResponse(plans=plans, page=info)


def require_visible(conn: Connection, strategy_id: str, worlds: Worlds) -> None:
    """A token for some worlds sees the strategies that were ever submitted to one of them."""
    if worlds is None:
        return
    mine = sa.select(plan_contexts.c.dag_id).where(
        plan_contexts.c.strategy_id == strategy_id, plan_contexts.c.world_id.in_(worlds)
    )
    if conn.execute(mine.limit(1)).first() is None:
        raise PermissionDenied("E_WORLD_FORBIDDEN", f"strategy {strategy_id!r} is in none of the token's worlds")


def _dag(conn: Connection, dag_id: int) -> dagpb.Dag:
    return dagpb.Dag.FromString(conn.execute(sa.select(dags.c.body).where(dags.c.dag_id == dag_id)).scalar_one())


def _live_worlds(
    conn: Connection, keys: Collection[tuple[str, int]], worlds: Worlds
) -> dict[tuple[str, int], list[str]]:
    """Worlds in which each plan is live, of those that may be seen."""
    seen = () if worlds is None else (plan_contexts.c.world_id.in_(worlds),)
    live: dict[tuple[str, int], list[str]] = {}
    for part in bounded(keys):
        rows = conn.execute(
            sa.select(plan_contexts.c.strategy_id, plan_contexts.c.version, plan_contexts.c.world_id)
            .distinct()
            .where(sa.tuple_(plan_contexts.c.strategy_id, plan_contexts.c.version).in_(part))
            .where(plan_contexts.c.released_us.is_(None), *seen)
            .order_by(plan_contexts.c.world_id)
        )
        for strategy_id, version, world_id in rows:
            live.setdefault((strategy_id, version), []).append(world_id)
    return live


def _plan(row: sa.Row[Any], live: Mapping[tuple[str, int], list[str]]) -> planpb.Plan:
    return planpb.Plan(
        strategy_id=row.strategy_id,
        version=row.version,
        version_label=row.version_label,
        digest=row.digest,
        created_by=row.created_by,
        created_at=instant_to_proto(instant(row.created_us)),
        live_worlds=live.get((row.strategy_id, row.version), []),
    )
