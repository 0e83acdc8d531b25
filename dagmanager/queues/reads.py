"""Queues as their owner shows them: rows joined with their node, as messages, in bounded lists."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import Connection

from dagmanager.queues import wire
from dagmanager.queues.domain import labels
from dagmanager.queues.domain.queues import MatchMode, QueueState, TagQuery
from dagmanager.queues.store import Condition, same_context_as_queue
from dagmanager.tables import dag_nodes, node_tags, nodes, plan_contexts, queues
from qmtl.core.errors import NotFound
from qmtl.core.identity.nodes import QueueClass
from qmtl.core.modes import ExecutionDomain
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.sql.instants import instant
from qmtl.wire import contexts, fields, graph, instants
from qmtl.wire.paging import page_from_proto, page_of

Queue = queuepb.Queue


def list_queues(
    conn: Connection, *conditions: Condition, limit: int, count_references: bool = True
) -> list[queuepb.Queue]:
    """Queues in the order of their ComputeKeys."""
    references: sa.ColumnElement[int] = _references() if count_references else sa.literal(0)
    columns = (
        queues, nodes.c.interval_s, nodes.c.tags, nodes.c.queue_class, nodes.c.label, references.label("references_")
    )  # fmt: skip
    rows = conn.execute(
        sa.select(*columns)
        .join(nodes, nodes.c.node_id == queues.c.node_id)
        .where(*conditions)
        .order_by(queues.c.compute_key)
        .limit(limit)
    )
    return [_message(row) for row in rows]


def get_queue(conn: Connection, compute_key: str, worlds: frozenset[str] | None = None) -> queuepb.Queue:
    """One queue. Raises NotFound (E_QUEUE_UNKNOWN), for one outside `worlds` too: no one learns that it is there."""
    found = list_queues(conn, queues.c.compute_key == compute_key, limit=1)
    if not found or (worlds is not None and found[0].world_id not in worlds):
        raise NotFound("E_QUEUE_UNKNOWN", f"no queue {compute_key!r}", metadata={"compute_key": compute_key})
    return found[0]


def page_of_queues(
    conn: Connection, request: queuecatalogueservicepb.ListQueuesRequest, worlds: frozenset[str] | None
) -> queuecatalogueservicepb.ListQueuesResponse:
    """Queues by world, domain, node or newest plan of a strategy; `worlds` None is all of them."""
    page = page_from_proto(request, (str,))
    conditions: list[Condition] = []
    if request.world_id:
        conditions.append(queues.c.world_id == request.world_id)
    if worlds is not None:
        conditions.append(queues.c.world_id.in_(worlds))
    if request.execution_domain:
        domain = fields.known_enum(contexts.DOMAINS, request.execution_domain, "execution_domain")
        conditions.append(queues.c.execution_domain == domain.name)
    if request.node_id:
        conditions.append(queues.c.node_id == request.node_id)
    if request.strategy_id:
        conditions.append(_held_by(request.strategy_id))
    if page.after is not None:
        conditions.append(queues.c.compute_key > page.after[0])
    found = list_queues(conn, *conditions, limit=page.size + 1)
    shown, info = page_of(found, page, lambda queue: (queue.compute_key,), lambda queue: queue)
    return queuecatalogueservicepb.ListQueuesResponse(queues=shown, page=info)


def matching_queues(conn: Connection, query: TagQuery, limit: int, after: str = "") -> list[queuepb.Queue]:
    """Live queues that answer a tag query, those whose ComputeKey is above `after`, without their reference counts."""
    tagged = sa.select(node_tags.c.node_no).where(
        node_tags.c.tag.in_(query.tags), node_tags.c.interval_s == query.interval_s
    )
    if query.match_mode is MatchMode.ALL:
        tagged = tagged.group_by(node_tags.c.node_no).having(sa.func.count() == len(query.tags))
    conditions = [nodes.c.node_no.in_(tagged), queues.c.state == QueueState.ACTIVE.name]
    if after:
        conditions.append(queues.c.compute_key > after)
    if query.world_id:
        conditions.append(queues.c.world_id == query.world_id)
    if query.execution_domain is not None:
        conditions.append(queues.c.execution_domain == query.execution_domain.name)
    return list_queues(conn, *conditions, limit=limit, count_references=False)


def _held_by(strategy_id: str) -> Condition:
    """Queues that a live plan of the strategy refers to."""
    return (
        sa.exists()
        .where(
            plan_contexts.c.strategy_id == strategy_id,
            plan_contexts.c.released_us.is_(None),
            *same_context_as_queue(),
            dag_nodes.c.dag_id == plan_contexts.c.dag_id,
            dag_nodes.c.node_no == nodes.c.node_no,
        )
        .correlate(queues, nodes)
    )


def _references() -> sa.ScalarSelect[int]:
    """Live plans, by version, that hold the queue in its own context."""
    return (
        sa.select(sa.func.count())
        .select_from(plan_contexts)
        .join(dag_nodes, dag_nodes.c.dag_id == plan_contexts.c.dag_id)
        .where(
            dag_nodes.c.node_no == nodes.c.node_no,
            plan_contexts.c.released_us.is_(None),
            *(
                plan_contexts.c[name] == queues.c[name]
                for name in ("world_id", "execution_domain", "as_of", "partition")
            ),
        )
        .correlate(queues, nodes)
        .scalar_subquery()
    )


def _message(row: sa.Row[tuple[object, ...]]) -> queuepb.Queue:
    domain = ExecutionDomain[row.execution_domain]
    message = queuepb.Queue(
        compute_key=row.compute_key,
        node_id=row.node_id,
        world_id=row.world_id,
        execution_domain=contexts.domain_number(domain),
        partition=row.partition,
        topic=labels.shown(row.world_id, domain, row.label),
        interval=Duration(seconds=row.interval_s) if row.interval_s else None,
        tags=row.tags.split(",") if row.tags else [],
        queue_class=graph.CLASS_NUMBERS[QueueClass[row.queue_class]],
        state=wire.STATES[QueueState[row.state]],
        created_at=instants.instant_to_proto(instant(row.created_us)),
        rows=row.rows,
        references=row.references_,
    )
    if row.as_of:
        message.as_of.FromDatetime(datetime.fromisoformat(row.as_of))
    if row.first_bucket_us is not None:
        message.first_bucket.FromDatetime(instant(row.first_bucket_us))
    if row.last_bucket_us is not None:
        message.last_bucket.FromDatetime(instant(row.last_bucket_us))
    if row.lost_last_us is not None:
        message.lost_first_bucket.FromDatetime(instant(row.lost_first_us))
        message.lost_last_bucket.FromDatetime(instant(row.lost_last_us))
    return message
