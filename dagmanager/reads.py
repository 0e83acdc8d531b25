"""The graph as people ask for it: plans, nodes, edges, sentinels and counts, in bounded pages.

`worlds` limits an answer to what a token may see: None is everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager import paging, plans, wire
from dagmanager.lookups import bounded, numbers_of
from dagmanager.tables import dag_nodes, dags, edges, from_us, node_tags, nodes, plan_contexts, sentinels
from dagmanager.tables import plans as plan_rows
from dagmanager.tables import queues as queue_rows
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.dag import QueueClass, SemanticKind
from qmtl.core.errors import NotFound, PermissionDenied
from qmtl.core.identity import NodeSpec
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as servicepb
from qmtl.wire import graph
from qmtl.wire.words import instant_to_proto

NEIGHBOURS_MAX = 1_000
DEPTH_MAX = 10
STRATEGIES_SHOWN_MAX = 50

Worlds = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the graph holds."""

    nodes: int
    queues: int
    plans: int


def get_plan(conn: Connection, strategy_id: str, version: int, worlds: Worlds) -> dagpb.Plan:
    """One plan with its DAG; version 0 is the newest. Raises NotFound (E_PLAN_UNKNOWN), PermissionDenied."""
    ref = plans.require_plan(conn, strategy_id, version)
    _require_visible(conn, strategy_id, worlds)
    row = conn.execute(
        sa.select(plan_rows, dags.c.digest, dags.c.body)
        .join(dags, dags.c.dag_id == plan_rows.c.dag_id)
        .where(plan_rows.c.strategy_id == strategy_id, plan_rows.c.version == ref.version)
    ).one()
    message = _plan(row, _live_worlds(conn, [(strategy_id, ref.version)], worlds))
    message.dag.ParseFromString(row.body)
    return message


def list_plans(
    conn: Connection, strategy_id: str, page: commonpb.PageRequest, worlds: Worlds
) -> servicepb.ListPlansResponse:
    """Plans without their DAGs, newest first."""
    size, after = paging.page_size(page), paging.after(page, (int, str, int))
    order = (plan_rows.c.created_us, plan_rows.c.strategy_id, plan_rows.c.version)
    wanted = sa.select(plan_rows, dags.c.digest).join(dags, dags.c.dag_id == plan_rows.c.dag_id)
    if strategy_id:
        wanted = wanted.where(plan_rows.c.strategy_id == strategy_id)
    if worlds is not None:
        seen = sa.exists().where(
            plan_contexts.c.strategy_id == plan_rows.c.strategy_id, plan_contexts.c.world_id.in_(worlds)
        )
        wanted = wanted.where(seen)
    if after is not None:
        wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, after)))
    rows = conn.execute(wanted.order_by(*(column.desc() for column in order)).limit(size)).all()
    live = _live_worlds(conn, [(row.strategy_id, row.version) for row in rows], worlds)
    last = (rows[-1].created_us, rows[-1].strategy_id, rows[-1].version) if rows else ()
    return servicepb.ListPlansResponse(
        plans=[_plan(row, live) for row in rows], page=paging.next_page(len(rows), size, last)
    )


def get_node(conn: Connection, node_id: str, worlds: Worlds) -> dagpb.GraphNode:
    """One node. Raises NotFound (E_NODE_UNKNOWN)."""
    found = _nodes_by_id(conn, [node_id], worlds)
    if not found:
        raise _unknown_node(node_id)
    return found[0]


def list_nodes(conn: Connection, request: servicepb.ListNodesRequest, worlds: Worlds) -> servicepb.ListNodesResponse:
    """Nodes by type, tag or newest plan of a strategy, in the order of their NodeIDs."""
    size, after = paging.page_size(request.page), paging.after(request.page, (str,))
    wanted = sa.select(nodes.c.node_id).where(*_seen_in(worlds))
    if request.node_type:
        wanted = wanted.where(nodes.c.node_type == request.node_type)
    if request.tag:
        tagged = sa.select(node_tags.c.node_no).where(node_tags.c.tag == request.tag)
        wanted = wanted.where(nodes.c.node_no.in_(tagged))
    if request.strategy_id:
        plan = plans.newest_plan(conn, request.strategy_id)
        if plan is None:
            return servicepb.ListNodesResponse()
        _require_visible(conn, request.strategy_id, worlds)
        members = sa.select(dag_nodes.c.node_no).where(dag_nodes.c.dag_id == plan.dag_id)
        wanted = wanted.where(nodes.c.node_no.in_(members))
    if after is not None:
        wanted = wanted.where(nodes.c.node_id > after[0])
    ids = list(conn.execute(wanted.order_by(nodes.c.node_id).limit(size)).scalars())
    return servicepb.ListNodesResponse(
        nodes=_nodes_by_id(conn, ids, worlds), page=paging.next_page(len(ids), size, ids[-1:])
    )


def strategy_graph(conn: Connection, strategy_id: str, worlds: Worlds) -> servicepb.GetGraphResponse:
    """The DAG of a strategy's newest plan. Raises NotFound (E_PLAN_UNKNOWN), PermissionDenied."""
    plan = plans.require_plan(conn, strategy_id, 0)
    _require_visible(conn, strategy_id, worlds)
    members = sa.select(dag_nodes.c.node_no).where(dag_nodes.c.dag_id == plan.dag_id)
    wanted = sa.select(nodes.c.node_id).where(nodes.c.node_no.in_(members)).order_by(nodes.c.node_id)
    ids = list(conn.execute(wanted).scalars())
    return _graph(conn, ids, worlds)


def neighbourhood(conn: Connection, node_id: str, depth: int, worlds: Worlds) -> servicepb.GetGraphResponse:
    """A node and what is within `depth` steps in either direction, at most 1000 nodes. Raises NotFound."""
    get_node(conn, node_id, worlds)
    start = numbers_of(conn, [node_id])[node_id]
    found, border = {start}, {start}
    for _ in range(min(depth or 1, DEPTH_MAX)):
        reached: set[int] = set()
        for part in bounded(sorted(border)):
            around = sa.union(
                sa.select(edges.c.dependency_no).where(edges.c.node_no.in_(part)),
                sa.select(edges.c.node_no).where(edges.c.dependency_no.in_(part)),
            ).limit(NEIGHBOURS_MAX)
            reached.update(conn.execute(around).scalars())
        border = set(sorted(reached - found)[: NEIGHBOURS_MAX - len(found)])
        found |= border
    ids: list[str] = []
    for part in bounded(sorted(found)):
        ids += conn.execute(sa.select(nodes.c.node_id).where(nodes.c.node_no.in_(part))).scalars()
    return _graph(conn, sorted(ids), worlds)


def list_sentinels(
    conn: Connection, strategy_id: str, page: commonpb.PageRequest, worlds: Worlds
) -> servicepb.ListSentinelsResponse:
    """A strategy's sentinels, newest version first."""
    size, after = paging.page_size(page), paging.after(page, (int,))
    wanted = sa.select(sentinels).where(sentinels.c.strategy_id == strategy_id)
    if after is not None:
        wanted = wanted.where(sentinels.c.version < after[0])
    rows = conn.execute(wanted.order_by(sentinels.c.version.desc()).limit(size)).all()
    if rows:
        _require_visible(conn, strategy_id, worlds)
    found = [wire.sentinel_to_proto(plans.sentinel_of(row)) for row in rows]
    last = [sentinel.version for sentinel in found[-1:]]
    return servicepb.ListSentinelsResponse(sentinels=found, page=paging.next_page(len(found), size, last))


def count(conn: Connection) -> Counts:
    """Rows of the three tables people ask about."""
    sizes = [
        conn.execute(sa.select(sa.func.count()).select_from(t)).scalar_one() for t in (nodes, queue_rows, plan_rows)
    ]
    return Counts(*sizes)


def _unknown_node(node_id: str) -> NotFound:
    return NotFound("E_NODE_UNKNOWN", f"no node {node_id!r}", metadata={"node_id": node_id})


def _graph(conn: Connection, ids: Collection[str], worlds: Worlds) -> servicepb.GetGraphResponse:
    reply = servicepb.GetGraphResponse(nodes=_nodes_by_id(conn, ids, worlds))
    inside = {node.node_id for node in reply.nodes}
    user, source = nodes.alias("consumer"), nodes.alias("producer")
    for part in bounded(sorted(inside)):
        rows = conn.execute(
            sa.select(source.c.node_id, user.c.node_id)
            .select_from(edges)
            .join(user, user.c.node_no == edges.c.node_no)
            .join(source, source.c.node_no == edges.c.dependency_no)
            .where(user.c.node_id.in_(part))
            .order_by(user.c.node_id, source.c.node_id)
        )
        for from_id, to_id in rows:
            if from_id in inside:
                reply.edges.add(from_node_id=from_id, to_node_id=to_id)
    return reply


def _nodes_by_id(conn: Connection, ids: Collection[str], worlds: Worlds) -> list[dagpb.GraphNode]:
    found = []
    for part in bounded(ids):
        using = _strategies_using(conn, part, worlds) if len(ids) <= NEIGHBOURS_MAX else {}
        mine = (nodes.c.node_id.in_(part), *_seen_in(worlds))
        rows = conn.execute(sa.select(nodes).where(*mine).order_by(nodes.c.node_id))
        found += [_node(row, using) for row in rows]
    return found


def _strategies_using(conn: Connection, ids: Collection[str], worlds: Worlds) -> Mapping[str, list[str]]:
    wanted = (
        sa.select(nodes.c.node_id, plan_contexts.c.strategy_id)
        .distinct()
        .join(dag_nodes, dag_nodes.c.node_no == nodes.c.node_no)
        .join(plan_contexts, plan_contexts.c.dag_id == dag_nodes.c.dag_id)
        .where(nodes.c.node_id.in_(ids), plan_contexts.c.released_us.is_(None))
        .order_by(nodes.c.node_id, plan_contexts.c.strategy_id)
    )
    if worlds is not None:
        wanted = wanted.where(plan_contexts.c.world_id.in_(worlds))
    using: dict[str, list[str]] = {}
    for node_id, strategy_id in conn.execute(wanted.limit(len(ids) * STRATEGIES_SHOWN_MAX)):
        using.setdefault(node_id, []).append(strategy_id)
    return using


def _require_visible(conn: Connection, strategy_id: str, worlds: Worlds) -> None:
    """A token for some worlds sees the strategies that were ever submitted to one of them."""
    if worlds is None:
        return
    mine = sa.select(plan_contexts.c.dag_id).where(
        plan_contexts.c.strategy_id == strategy_id, plan_contexts.c.world_id.in_(worlds)
    )
    if conn.execute(mine.limit(1)).first() is None:
        raise PermissionDenied("E_WORLD_FORBIDDEN", f"strategy {strategy_id!r} is in none of the token's worlds")


def _seen_in(worlds: Worlds) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that a node was ever submitted to one of the worlds; its parameters are its authors' own."""
    if worlds is None:
        return ()
    mine = sa.exists().where(
        dag_nodes.c.node_no == nodes.c.node_no,
        plan_contexts.c.dag_id == dag_nodes.c.dag_id,
        plan_contexts.c.world_id.in_(worlds),
    )
    return (mine.correlate(nodes),)


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


def _plan(row: sa.Row[Any], live: Mapping[tuple[str, int], list[str]]) -> dagpb.Plan:
    return dagpb.Plan(
        strategy_id=row.strategy_id,
        version=row.version,
        version_label=row.version_label,
        digest=row.digest,
        created_by=row.created_by,
        created_at=instant_to_proto(from_us(row.created_us)),
        live_worlds=live.get((row.strategy_id, row.version), []),
    )


def _node(row: sa.Row[Any], using: Mapping[str, list[str]]) -> dagpb.GraphNode:
    message = dagpb.GraphNode(
        node_id=row.node_id,
        spec=graph.spec_to_proto(NodeSpec(**orjson.loads(row.canonical))),
        schema_hash=row.schema_hash,
        tags=row.tags.split(",") if row.tags else [],
        queue_class=graph.CLASS_NUMBERS[QueueClass[row.queue_class]],
        kind=graph.KIND_NUMBERS[SemanticKind[row.kind]],
        owner=row.owner,
        created_at=instant_to_proto(from_us(row.created_us)),
        strategies=using.get(row.node_id, []),
    )
    if row.buffering_since_us is not None:
        message.buffering_since.CopyFrom(instant_to_proto(from_us(row.buffering_since_us)))
    return message
