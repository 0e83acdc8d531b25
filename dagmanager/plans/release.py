"""A world lets go of a plan; queues that nobody else holds are released."""

from __future__ import annotations

from sqlalchemy import Connection

from dagmanager.plans import store
from dagmanager.queues import tag_queries
from dagmanager.queues.events import Cause
from dagmanager.queues.store import traits_of
from dagmanager.queues.world_sets import publish_world_sets
from dagmanager.revisions import GRAPH, advance, lock_graph


def release_plan(conn: Connection, strategy_id: str, version: int, world_id: str, cause: Cause) -> int:
    """Drop a world's reference to a plan; returns how many queues nobody refers to any more. Idempotent.

    Raises NotFound (E_PLAN_UNKNOWN).
    """
    lock_graph(conn, exclusive=True)
    plan = store.require_plan(conn, strategy_id, version)
    released = store.drop_references(conn, plan, world_id, cause.now)
    tag_queries.unregister(conn, strategy_id, plan.version, world_id)
    if released:
        touched = tag_queries.touched_queries(conn, traits_of(conn, released))
        tag_queries.publish_sets(conn, touched, cause)
        publish_world_sets(conn, [world_id], cause)
        advance(conn, GRAPH)
    return len(released)
