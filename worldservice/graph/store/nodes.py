"""Rows of the World View Graph; every function runs in a transaction of its caller, which holds the world's lock."""

import json
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import Exhausted, NotFound
from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, micros
from worldservice.graph.domain.nodes import NodeStatus, Validation, WorldNode
from worldservice.graph.tables import validations, world_nodes

ROWS_MAX = 100_000  # of each kind in one world


def save_node(conn: Connection, node: WorldNode) -> None:
    """Write a world's view of a node. Raises Exhausted (E_TOO_MANY_ROWS)."""
    key = {"world_id": node.world_id, "node_id": node.node_id, "execution_domain": node.domain.value}
    values = {
        "status": node.status.value,
        "last_eval_key": node.last_eval_key,
        "annotations": json.dumps(dict(node.annotations), sort_keys=True),
    }
    save_row(conn, world_nodes, key, values)


def list_nodes(conn: Connection, world_id: str, page: Page[tuple[str, str]]) -> list[WorldNode]:
    """Views of nodes in order of node and domain."""
    table = world_nodes
    query = sa.select(table).where(table.c.world_id == world_id)
    if page.after is not None:
        query = query.where(sa.tuple_(table.c.node_id, table.c.execution_domain) > sa.tuple_(*page.after))
    ordered = query.order_by(table.c.node_id, table.c.execution_domain).limit(page.size + 1)
    return [_node(row) for row in conn.execute(ordered).mappings()]


def node_key(node: WorldNode) -> tuple[str, str]:
    """Where a listing goes on after a node."""
    return node.node_id, node.domain.value


def delete_node(conn: Connection, world_id: str, node_id: str, domain: ExecutionDomain) -> None:
    """Raises NotFound (E_WORLD_NODE_UNKNOWN)."""
    table = world_nodes
    where = (table.c.world_id == world_id, table.c.node_id == node_id, table.c.execution_domain == domain.value)
    if conn.execute(sa.delete(table).where(*where)).rowcount == 0:
        raise NotFound("E_WORLD_NODE_UNKNOWN", f"world {world_id} has no view of {node_id} in {domain.value}")


def save_validation(conn: Connection, validation: Validation) -> None:
    """Write a result under its key. Raises Exhausted (E_TOO_MANY_ROWS)."""
    values = {
        "node_id": validation.node_id,
        "execution_domain": validation.domain.value,
        "valid": validation.valid,
        "metrics": json.dumps(dict(validation.metrics), sort_keys=True),
        "validated_us": micros(validation.validated_at),
    }
    save_row(conn, validations, {"world_id": validation.world_id, "eval_key": validation.eval_key}, values)


def find_validation(conn: Connection, world_id: str, eval_key: str) -> Validation | None:
    """The result under a key, or None."""
    where = (validations.c.world_id == world_id, validations.c.eval_key == eval_key)
    row = conn.execute(sa.select(validations).where(*where)).mappings().one_or_none()
    return None if row is None else _validation(row)


def drop_validations(conn: Connection, world_id: str, node_id: str, domain: ExecutionDomain | None) -> int:
    """Delete validations of one node or of all, in one domain or in all; returns how many there were."""
    query = sa.delete(validations).where(validations.c.world_id == world_id)
    if node_id:
        query = query.where(validations.c.node_id == node_id)
    if domain is not None:
        query = query.where(validations.c.execution_domain == domain.value)
    return conn.execute(query).rowcount


def save_row(conn: Connection, table: sa.Table, key: dict[str, str], values: Mapping[str, object]) -> None:
    """Update the row of a key, or insert it. Raises Exhausted (E_TOO_MANY_ROWS)."""
    where = [table.c[name] == value for name, value in key.items()]
    if conn.execute(sa.update(table).where(*where).values(**values)).rowcount:
        return
    world_id = key["world_id"]
    count = sa.select(sa.func.count()).select_from(table).where(table.c.world_id == world_id)
    if conn.execute(count).scalar_one() >= ROWS_MAX:
        raise Exhausted("E_TOO_MANY_ROWS", f"world {world_id} has {ROWS_MAX} {table.name}, the most it may")
    conn.execute(sa.insert(table).values(**key, **values))


def _node(row: RowMapping) -> WorldNode:
    domain, status = ExecutionDomain(row["execution_domain"]), NodeStatus(row["status"])
    annotations: dict[str, str] = json.loads(row["annotations"])
    return WorldNode(row["world_id"], row["node_id"], domain, status, row["last_eval_key"], annotations)


def _validation(row: RowMapping) -> Validation:
    metrics: dict[str, float] = json.loads(row["metrics"])
    return Validation(
        eval_key=row["eval_key"],
        world_id=row["world_id"],
        node_id=row["node_id"],
        domain=ExecutionDomain(row["execution_domain"]),
        valid=row["valid"],
        metrics=metrics,
        validated_at=instant(row["validated_us"]),
    )
