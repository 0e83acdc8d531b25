"""The graph as people ask for it: nodes, what is next to them, and the DAGs of strategies, in bounded pages.

`worlds` limits an answer to what a token may see: None is everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.access import Worlds
from dagmanager.plans import store as plans_store
from dagmanager.plans.reads import require_visible
from dagmanager.plans.store import numbers_of
from dagmanager.tables import dag_nodes, edges, node_tags, nodes, plan_contexts
from qmtl.core.errors import NotFound
from qmtl.core.identity.keys import NodeSpec
from qmtl.core.identity.nodes import QueueClass, SemanticKind
from qmtl.core.paging import Page
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.sql.instants import instant
from qmtl.sql.statements.lists import bounded
from qmtl.wire import graph
from qmtl.wire.instants import instant_to_proto
from qmtl.wire.paging import page_from_proto, page_of

NEIGHBOURS_MAX = 1_000
DEPTH_MAX = 10
STRATEGIES_SHOWN_MAX = 50


def get_node(conn: Connection, node_id: str, worlds: Worlds) -> graphservicepb.GraphNode:
    """One node. Raises NotFound (E_NODE_UNKNOWN)."""
    found = _nodes_by_id(conn, [node_id], worlds)
    if not found:
        raise _unknown_node(node_id)
    return found[0]


def list_nodes(
    conn: Connection, request: graphservicepb.ListNodesRequest, worlds: Worlds
) -> graphservicepb.ListNodesResponse:
    """Nodes by type, tag or plan of a strategy, by NodeID; the plan is the newest one at the first page."""
    page, version = page_from_proto(request, (str, int)), 0
    wanted = sa.select(nodes.c.node_id).where(*_seen_in(worlds))
    if request.node_type:
        wanted = wanted.where(nodes.c.node_type == request.node_type)
    if request.tag:
        tagged = sa.select(node_tags.c.node_no).where(node_tags.c.tag == request.tag)
        wanted = wanted.where(nodes.c.node_no.in_(tagged))
    if request.strategy_id:
        if page.after is None:
            plan = plans_store.newest_plan(conn, request.strategy_id)
        else:
            plan = plans_store.require_plan(conn, request.strategy_id, page.after[1])
        if plan is None:
            return graphservicepb.ListNodesResponse()
        version = plan.version
        require_visible(conn, request.strategy_id, worlds)
        members = sa.select(dag_nodes.c.node_no).where(dag_nodes.c.dag_id == plan.dag_id)
        wanted = wanted.where(nodes.c.node_no.in_(members))
    if page.after is not None:
        wanted = wanted.where(nodes.c.node_id > page.after[0])
    found = conn.execute(wanted.order_by(nodes.c.node_id).limit(page.size + 1)).scalars().all()
    told = _nodes_by_id(conn, found, worlds)
    shown, info = page_of(told, page, lambda node: (node.node_id, version), lambda node: node)
    return graphservicepb.ListNodesResponse(nodes=shown, page=info)


def strategy_graph(
    conn: Connection, strategy_id: str, page: Page[tuple[str, int]], worlds: Worlds
) -> graphservicepb.GetGraphResponse:
    """A page of a strategy's newest plan, or of the plan of the first page. Raises NotFound (E_PLAN_UNKNOWN)."""
    plan = plans_store.require_plan(conn, strategy_id, page.after[1] if page.after is not None else 0)
    require_visible(conn, strategy_id, worlds)
    members = sa.select(dag_nodes.c.node_no).where(dag_nodes.c.dag_id == plan.dag_id)
    wanted = sa.select(nodes.c.node_id).where(nodes.c.node_no.in_(members)).order_by(nodes.c.node_id)
    ids = list(conn.execute(wanted).scalars())
    return _graph(conn, ids, page, worlds, plan.version)


def neighbourhood(
    conn: Connection, node_id: str, depth: int, page: Page[tuple[str, int]], worlds: Worlds
) -> graphservicepb.GetGraphResponse:
    """A page of a node and what is within `depth` steps in either direction, at most 1000 nodes. Raises NotFound."""
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
    return _graph(conn, sorted(ids), page, worlds)


def _unknown_node(node_id: str) -> NotFound:
    return NotFound("E_NODE_UNKNOWN", f"no node {node_id!r}", metadata={"node_id": node_id})


def _graph(
    conn: Connection, ids: Sequence[str], page: Page[tuple[str, int]], worlds: Worlds, version: int = 0
) -> graphservicepb.GetGraphResponse:
    """A page of the nodes with these ids, which are in order and those of a plan's version; 0: of no plan."""
    left = [node_id for node_id in ids if page.after is None or node_id > page.after[0]]
    found: list[graphservicepb.GraphNode] = []
    while left and len(found) <= page.size:
        part, left = left[: page.size + 1], left[page.size + 1 :]
        found += _nodes_by_id(conn, part, worlds)  # fewer where the token may not see all
    shown, info = page_of(found, page, lambda node: (node.node_id, version), lambda node: node)
    return graphservicepb.GetGraphResponse(nodes=shown, page=info)


def _nodes_by_id(conn: Connection, ids: Collection[str], worlds: Worlds) -> list[graphservicepb.GraphNode]:
    found = []
    for part in bounded(ids):
        using = _strategies_using(conn, part, worlds)
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


def _node(row: sa.Row[Any], using: Mapping[str, list[str]]) -> graphservicepb.GraphNode:
    message = graphservicepb.GraphNode(
        node_id=row.node_id,
        spec=graph.spec_to_proto(NodeSpec(**orjson.loads(row.canonical))),
        schema_hash=row.schema_hash,
        tags=row.tags.split(",") if row.tags else [],
        queue_class=graph.CLASS_NUMBERS[QueueClass[row.queue_class]],
        kind=graph.KIND_NUMBERS[SemanticKind[row.kind]],
        owner=row.owner,
        created_at=instant_to_proto(instant(row.created_us)),
        strategies=using.get(row.node_id, []),
    )
    if row.buffering_since_us is not None:
        message.buffering_since.CopyFrom(instant_to_proto(instant(row.buffering_since_us)))
    return message
