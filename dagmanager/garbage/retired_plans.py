"""Sentinels of plans nobody has run for seven months: written to a file with their plan, then forgotten.

The plan's own row stays, because versions are counted by it; a diff that submits the same again makes a new sentinel.
"""

from __future__ import annotations

from datetime import datetime

import orjson
import sqlalchemy as sa
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection

from dagmanager import revisions
from dagmanager.artifacts import files
from dagmanager.artifacts.domain import Artifact
from dagmanager.artifacts.store import keep_artifact
from dagmanager.garbage.domain import PLAN_RETENTION
from dagmanager.plans import reads
from dagmanager.queues.events import Cause
from dagmanager.sentinels import events as sentinels_events
from dagmanager.sentinels import store as sentinels_store
from dagmanager.sentinels import wire as sentinels_wire
from dagmanager.sentinels.domain import Sentinel
from dagmanager.tables import plan_contexts, sentinels
from qmtl.core.identity import canonical
from qmtl.sql.instants import micros


def due(conn: Connection, now: datetime, limit: int) -> list[tuple[Sentinel, bytes]]:
    """Sentinels past their time, oldest first, each with the file it is to leave behind."""
    rows = conn.execute(
        sa.select(sentinels)
        .where(sentinels.c.created_us <= _cutoff(now), ~_needed(now))
        .order_by(sentinels.c.created_us, sentinels.c.sentinel_id)
        .limit(limit)
    )
    found = [sentinels_store.sentinel_of(row) for row in rows]
    return [(sentinel, _body(conn, sentinel)) for sentinel in found]


def write(root: str, sentinel: Sentinel, body: bytes) -> Artifact:
    """Write the file and read it back. Raises Unverified, OSError, ValueError, ImportError."""
    name = canonical.digest(f"{sentinel.sentinel_id}/{sentinel.revision}".encode()).rpartition(":")[2]
    artifact = files.write_bytes("/".join((root.rstrip("/"), "plans", f"{name}.json")), body)
    if files.read_bytes(artifact.path) != body:
        raise files.Unverified(f"{artifact.path} does not read back as it was written")
    return artifact


def forget(conn: Connection, sentinel: Sentinel, artifact: Artifact, cause: Cause) -> bool:
    """Delete an archived sentinel and publish what is left; False when it changed since it was archived."""
    revisions.lock_graph(conn, exclusive=True)
    mine = (sentinels.c.sentinel_id == sentinel.sentinel_id, sentinels.c.revision == sentinel.revision)
    if conn.execute(sa.delete(sentinels).where(*mine, ~_needed(cause.now))).rowcount != 1:
        return False
    keep_artifact(conn, artifact, sentinel.sentinel_id, cause.now)
    sentinels_events.publish_weights(
        conn, sentinel.strategy_id, sentinels_store.lock_sentinels(conn, sentinel.strategy_id), cause
    )
    return True


def _cutoff(now: datetime) -> int:
    return micros(now - PLAN_RETENTION.ttl - PLAN_RETENTION.grace)


def _needed(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a world runs the sentinel's plan, or did so not long enough ago."""
    recent = sa.or_(plan_contexts.c.released_us.is_(None), plan_contexts.c.released_us > _cutoff(now))
    of = (plan_contexts.c.strategy_id == sentinels.c.strategy_id, plan_contexts.c.version == sentinels.c.version)
    return sa.exists().where(*of, recent).correlate(sentinels)


def _body(conn: Connection, sentinel: Sentinel) -> bytes:
    plan = reads.get_plan(conn, sentinel.strategy_id, sentinel.version, None)
    dag = reads.whole_dag(conn, sentinel.strategy_id, sentinel.version)
    said = {
        "sentinel": MessageToDict(sentinels_wire.sentinel_to_proto(sentinel)),
        "plan": {**MessageToDict(plan), "dag": MessageToDict(dag)},
    }
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
