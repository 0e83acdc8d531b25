"""The active queues of a world as one published state, for who watches worlds rather than tags."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.queues.domain.queues import QueueState
from dagmanager.queues.events import Cause, draft
from dagmanager.queues.reads import list_queues
from dagmanager.revisions import lock_world
from dagmanager.tables import outbox, queues
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.sql.statements.prepared import Prepared

SHOWN_MAX = 32  # queues in one event: a world with more is read page by page, and its events only say that it changed


def publish_world_sets(conn: Connection, worlds: Collection[str], cause: Cause) -> None:
    """Publish the active queues of each world after a change, drafted under its lock so that sets never go back."""
    for world_id in sorted(set(worlds)):
        lock_world(conn, world_id)
        truncated = _has_more(conn, world_id)
        shown = [] if truncated else _shown(conn, world_id)
        payload = controlpb.WorldQueuesUpdated(world_id=world_id, queues=shown, truncated=truncated)
        outbox.append(conn, draft(world_id, payload, cause))


def world_set_revision(conn: Connection, world_id: str) -> int:
    """The revision of the last set published for a world; 0 when none was."""
    return outbox.revision(conn, "world_queues_updated", world_id)


def _active(world_id: str | sa.BindParameter[str]) -> tuple[sa.ColumnElement[bool], ...]:
    return queues.c.world_id == world_id, queues.c.state == QueueState.ACTIVE.name


def _shown(conn: Connection, world_id: str) -> list[queuepb.Queue]:
    return list_queues(conn, *_active(world_id), limit=SHOWN_MAX, count_references=False)


def _has_more(conn: Connection, world_id: str) -> bool:
    return _BEYOND.rows(conn, {"world": world_id}).first() is not None


_BEYOND = Prepared(sa.select(queues.c.compute_key).where(*_active(sa.bindparam("world"))).limit(1).offset(SHOWN_MAX))
