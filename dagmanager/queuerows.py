"""Queues as their owner shows them: rows joined with their node, as messages, in bounded lists."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from qmtl.dag.v1 import dag_pb2 as dagpb
from sqlalchemy import Connection

from dagmanager import wire
from dagmanager.domain import topics
from dagmanager.domain.queues import MatchMode, QueueState, TagQuery
from dagmanager.tables import dag_nodes, from_us, node_tags, nodes, plan_contexts, queues
from qmtl.core.dag import QueueClass
from qmtl.core.modes import ExecutionDomain
from qmtl.wire import graph, words

CONTEXT_COLUMNS = ("world_id", "execution_domain", "as_of", "partition")

Condition = sa.ColumnElement[bool]


def list_queues(
    conn: Connection, *conditions: Condition, limit: int, count_references: bool = True
) -> list[dagpb.Queue]:
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


def matching_queues(conn: Connection, query: TagQuery, limit: int) -> list[dagpb.Queue]:
    """Live queues that answer a tag query, without their reference counts."""
    tagged = sa.select(node_tags.c.node_id).where(
        node_tags.c.tag.in_(query.tags), node_tags.c.interval_s == query.interval_s
    )
    if query.match_mode is MatchMode.ALL:
        tagged = tagged.group_by(node_tags.c.node_id).having(sa.func.count() == len(query.tags))
    conditions = [queues.c.node_id.in_(tagged), queues.c.state == QueueState.ACTIVE.name]
    if query.world_id:
        conditions.append(queues.c.world_id == query.world_id)
    if query.execution_domain is not None:
        conditions.append(queues.c.execution_domain == query.execution_domain.name)
    return list_queues(conn, *conditions, limit=limit, count_references=False)


def _references() -> sa.ScalarSelect[int]:
    """Live plans, by version, that hold the queue in its own context."""
    return (
        sa.select(sa.func.count())
        .select_from(plan_contexts)
        .join(dag_nodes, dag_nodes.c.dag_id == plan_contexts.c.dag_id)
        .where(
            dag_nodes.c.node_id == queues.c.node_id,
            plan_contexts.c.released_us.is_(None),
            *(
                plan_contexts.c[name] == queues.c[name]
                for name in ("world_id", "execution_domain", "as_of", "partition")
            ),
        )
        .correlate(queues)
        .scalar_subquery()
    )


def _message(row: sa.Row[tuple[object, ...]]) -> dagpb.Queue:
    domain = ExecutionDomain[row.execution_domain]
    message = dagpb.Queue(
        compute_key=row.compute_key,
        node_id=row.node_id,
        world_id=row.world_id,
        execution_domain=words.domain_number(domain),
        partition=row.partition,
        topic=topics.shown(row.world_id, domain, row.label),
        interval_s=row.interval_s,
        tags=row.tags.split(",") if row.tags else [],
        queue_class=graph.CLASS_NUMBERS[QueueClass[row.queue_class]],
        state=wire.STATES[QueueState[row.state]],
        created_at=words.instant_to_proto(from_us(row.created_us)),
        rows=row.rows,
        references=row.references_,
    )
    if row.as_of:
        message.as_of.FromDatetime(datetime.fromisoformat(row.as_of))
    if row.first_bucket_us is not None:
        message.first_bucket.FromDatetime(from_us(row.first_bucket_us))
    if row.last_bucket_us is not None:
        message.last_bucket.FromDatetime(from_us(row.last_bucket_us))
    return message
