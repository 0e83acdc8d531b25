"""Named revisions of the graph, counted inside the transaction that changes what they stand for."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.tables import revisions

GRAPH = "graph"
"""Grows with every change of nodes or queues."""
SETTLED = "settled"
"""Grows only when rows change that a stored answer may rest on: never by adding nodes, queues or plans."""


def revision(conn: Connection, name: str) -> int:
    """A named revision of the graph; 0 before the first change."""
    return conn.execute(_REVISION, {"name": name}).scalar_one_or_none() or 0


def advance(conn: Connection, name: str) -> int:
    """Count one change; returns the new revision."""
    return int(conn.execute(_ADVANCE, {"name": name}).scalar_one())


_REVISION = sa.select(revisions.c.revision).where(revisions.c.name == sa.bindparam("name"))
_ADVANCE = sa.text(
    "INSERT INTO revisions (name, revision) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET revision = revisions.revision + 1 RETURNING revision"
)
