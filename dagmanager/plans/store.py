"""Rows of DAGs and plans, and of the contexts that refer to them, inside a caller's transaction.

A plan version is what a strategy submitted; each world that runs it holds a reference, and queues live as
long as any reference of theirs does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.queues.domain.queues import QueueState
from dagmanager.queues.store import same_context_as_queue
from dagmanager.revisions import advance
from dagmanager.tables import dag_nodes, dags, nodes, plan_contexts, plans, queues
from qmtl.core import instants
from qmtl.core.errors import NotFound
from qmtl.core.identity import canonical, keys
from qmtl.core.identity.nodes import Dag
from qmtl.core.modes import ComputeContext
from qmtl.sql.instants import micros
from qmtl.sql.statements.lists import any_of, bounded
from qmtl.sql.statements.prepared import Later, Prepared

_NUMBERS = Prepared(sa.select(nodes.c.node_id, nodes.c.node_no).where(nodes.c.node_id.in_(any_of("ids"))))


class Raced(Exception):
    """Another process wrote what this transaction meant to write."""


@dataclass(frozen=True, slots=True)
class PlanRef:
    """One version of a strategy's plan."""

    strategy_id: str
    version: int
    version_label: str
    dag_id: int


def newest_plan(conn: Connection, strategy_id: str) -> PlanRef | None:
    """The plan with the highest version."""
    return ask_newest_plan(conn, strategy_id)()


def ask_newest_plan(conn: Connection, strategy_id: str) -> Later[PlanRef | None]:
    """As `newest_plan`, to be heard later."""
    rows = _NEWEST_PLAN.ask(conn, {"id": strategy_id}).rows

    def heard() -> PlanRef | None:
        row = rows().one_or_none()
        return None if row is None else PlanRef(strategy_id, row.version, row.version_label, row.dag_id)

    return heard


def require_plan(conn: Connection, strategy_id: str, version: int) -> PlanRef:
    """One plan; version 0 is the newest. Raises NotFound (E_PLAN_UNKNOWN)."""
    if version == 0:
        found = newest_plan(conn, strategy_id)
    else:
        row = conn.execute(
            sa.select(plans.c.version_label, plans.c.dag_id).where(
                plans.c.strategy_id == strategy_id, plans.c.version == version
            )
        ).one_or_none()
        found = None if row is None else PlanRef(strategy_id, version, row.version_label, row.dag_id)
    if found is None:
        raise NotFound(
            "E_PLAN_UNKNOWN",
            f"no plan of strategy {strategy_id!r}" + (f" has version {version}" if version else ""),
            metadata={"strategy_id": strategy_id, "version": str(version)},
        )
    return found


def ask_dag(conn: Connection, dag: Dag) -> Later[int | None]:
    """The row of a DAG that is stored, to be heard later."""
    rows = _DAG_ID.ask(conn, {"digest": dag.digest}).rows
    return lambda: rows().scalar_one_or_none()


def store_dag(conn: Connection, dag: Dag, body: Callable[[], bytes], known: int | None) -> tuple[int, bool]:
    """The row of a DAG, written once per digest, and whether it is new; `body` is called only then. Raises Raced.

    `known`: the row that was found before.
    """
    if known is not None:
        return known, False
    dag_id = _INSERT_DAG.rows(
        conn,
        {
            "digest": dag.digest,
            "body": body(),
            "node_count": len(dag.nodes),
            "crc32": keys.node_ids_crc32(dag.node_ids),
        },
    ).scalar_one_or_none()
    if dag_id is None:
        raise Raced
    return int(dag_id), True


def store_members(conn: Connection, dag_id: int, dag: Dag, known: Mapping[str, int]) -> None:
    """Write which nodes a new DAG has; they must all be stored. `known`: the numbers of some by NodeID."""
    numbers = {node_id: known[node_id] for node_id in dag.node_ids if node_id in known}
    numbers |= numbers_of(conn, set(dag.node_ids).difference(numbers))
    _INSERT_MEMBER.send_each(conn, [{"dag_id": dag_id, "node_no": number} for number in sorted(numbers.values())])


def next_plan(newest: PlanRef | None, strategy_id: str, dag_id: int, version_label: str) -> PlanRef:
    """The newest plan when it is the same DAG under the same label, else the version after it."""
    if newest is not None and newest.dag_id == dag_id and version_label in ("", newest.version_label):
        return newest
    version = 1 if newest is None else newest.version + 1
    return PlanRef(strategy_id, version, version_label or f"v{version}", dag_id)


def store_plan(conn: Connection, plan: PlanRef, created_by: str, now: datetime) -> Later[None]:
    """Write a new plan version; where it is heard it raises Raced."""
    values = {
        "strategy_id": plan.strategy_id,
        "version": plan.version,
        "version_label": plan.version_label,
        "dag_id": plan.dag_id,
        "created_by": created_by,
        "created_us": micros(now),
    }
    stored = _INSERT_PLAN.change(conn, values)

    def heard() -> None:
        if stored() != 1:
            raise Raced

    return heard


def place_of(context: ComputeContext) -> str:
    """The name of a context's revision, which grows when a plan comes to live in it, again too, or ceases to.

    Not with a hotfix version of a plan: it is the same DAG, of a strategy that is live there already, so what the
    context computes and who shares it stay as they were.
    """
    return _place(
        context.world_id, context.execution_domain.value, instants.timestamp_text(context.as_of), context.partition
    )


def _place(*parts: str) -> str:
    return "plans " + canonical.canonical_json(list(parts)).decode()


def refer(conn: Connection, plan: PlanRef, contexts: Sequence[ComputeContext], now: datetime) -> Later[list[str]]:
    """Hold the plan's queues in these contexts, a released reference again; the places it was not live in, whose
    revisions are counted on where that is heard."""
    same = {"dag_id": plan.dag_id, "now": micros(now)}
    changed = [(place_of(each), _REFER.change(conn, {**_reference(plan, each), **same})) for each in contexts]

    def heard() -> list[str]:
        places = [place for place, count in changed if count()]
        for place in places:
            advance(conn, place)
        return places

    return heard


def refers_to_all(conn: Connection, plan: PlanRef, contexts: Sequence[ComputeContext]) -> bool:
    """Whether the plan holds a live reference in every one of the contexts."""
    return all(_REFERS.rows(conn, _reference(plan, context)).first() is not None for context in contexts)


def _reference(plan: PlanRef, context: ComputeContext) -> dict[str, str | int]:
    return {
        "strategy_id": plan.strategy_id,
        "version": plan.version,
        "world_id": context.world_id,
        "execution_domain": context.execution_domain.value,
        "as_of": instants.timestamp_text(context.as_of),
        "partition": context.partition,
    }


def drop_references(conn: Connection, plan: PlanRef, world_id: str, now: datetime) -> list[str]:
    """Drop a world's references to a plan; returns the ComputeKeys that no live reference holds any more."""
    left = conn.execute(
        sa.update(plan_contexts)
        .where(
            plan_contexts.c.strategy_id == plan.strategy_id,
            plan_contexts.c.version == plan.version,
            plan_contexts.c.world_id == world_id,
            plan_contexts.c.released_us.is_(None),
        )
        .values(released_us=micros(now))
        .returning(plan_contexts.c.execution_domain, plan_contexts.c.as_of, plan_contexts.c.partition)
    )
    for place in sorted(_place(world_id, *row) for row in left):
        advance(conn, place)
    orphans = [row.compute_key for row in conn.execute(_orphans(plan, world_id))]
    for part in bounded(orphans):
        conn.execute(
            sa.update(queues)
            .where(queues.c.compute_key.in_(part))
            .values(state=QueueState.RELEASED.name, released_us=micros(now))
        )
    return orphans


def _orphans(plan: PlanRef, world_id: str) -> sa.Select[tuple[str]]:
    mine, others = dag_nodes.alias("mine"), dag_nodes.alias("others")
    held = (
        sa.exists()
        .where(others.c.node_no == nodes.c.node_no, others.c.dag_id == plan_contexts.c.dag_id)
        .where(plan_contexts.c.released_us.is_(None), *same_context_as_queue())
    )
    return (
        sa.select(queues.c.compute_key)
        .join(nodes, nodes.c.node_id == queues.c.node_id)
        .join(mine, mine.c.node_no == nodes.c.node_no)
        .where(mine.c.dag_id == plan.dag_id, queues.c.world_id == world_id, ~held)
        .where(queues.c.state == QueueState.ACTIVE.name)
        .order_by(queues.c.compute_key)
    )


_NEWEST_PLAN = Prepared(
    sa.select(plans.c.version, plans.c.version_label, plans.c.dag_id)
    .where(plans.c.strategy_id == sa.bindparam("id"))
    .order_by(plans.c.version.desc())
    .limit(1)
)
_DAG_ID = Prepared(sa.select(dags.c.dag_id).where(dags.c.digest == sa.bindparam("digest")))
_INSERT_MEMBER = Prepared(sa.insert(dag_nodes))
_INSERT_DAG = Prepared(
    "INSERT INTO dags (digest, body, node_count, node_ids_crc32) VALUES (:digest, :body, :node_count, :crc32) "
    "ON CONFLICT DO NOTHING RETURNING dag_id"
)
_INSERT_PLAN = Prepared(
    "INSERT INTO plans (strategy_id, version, version_label, dag_id, created_by, created_us) "
    "VALUES (:strategy_id, :version, :version_label, :dag_id, :created_by, :created_us) ON CONFLICT DO NOTHING"
)
_REFERS = Prepared(
    sa.select(plan_contexts.c.dag_id).where(
        *(
            plan_contexts.c[name] == sa.bindparam(name)
            for name in ("strategy_id", "version", "world_id", "execution_domain", "as_of", "partition")
        ),
        plan_contexts.c.released_us.is_(None),
    )
)
_REFER = Prepared(
    "INSERT INTO plan_contexts "
    "(strategy_id, version, world_id, execution_domain, as_of, partition, dag_id, created_us) "
    "VALUES (:strategy_id, :version, :world_id, :execution_domain, :as_of, :partition, :dag_id, :now) "
    "ON CONFLICT (strategy_id, version, world_id, execution_domain, as_of, partition) DO UPDATE SET released_us = NULL "
    "WHERE plan_contexts.released_us IS NOT NULL"
)


def numbers_of(conn: Connection, node_ids: Collection[str]) -> dict[str, int]:
    """Numbers of stored nodes by NodeID."""
    numbers: dict[str, int] = {}
    for part in bounded(sorted(node_ids)):
        rows = _NUMBERS.rows(conn, {"ids": part}).all()
        numbers.update({row.node_id: row.node_no for row in rows})
    return numbers
