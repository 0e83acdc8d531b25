"""Named revisions of the graph, counted inside the transaction that changes what they stand for, and its lock."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.tables import revisions
from qmtl.sql.statements.lists import any_of
from qmtl.sql.statements.prepared import Later, Prepared

GRAPH_LOCK = 7_310_001  # PostgreSQL advisory lock; any number no other service uses

GRAPH = "graph"
"""Grows with every change of nodes or queues."""
SETTLED = "settled"
"""Grows only when rows change that a stored answer may rest on: never by adding nodes, queues or plans."""


def revision(conn: Connection, name: str) -> int:
    """A named revision of the graph; 0 before the first change."""
    return revisions_of(conn, (name,))[name]


def revisions_of(conn: Connection, names: Sequence[str]) -> dict[str, int]:
    """Named revisions of the graph in the order asked; 0 before the first change."""
    return ask_revisions(conn, names)()


def ask_revisions(conn: Connection, names: Sequence[str]) -> Later[dict[str, int]]:
    """As `revisions_of`, to be heard later."""
    rows = _REVISIONS.ask(conn, {"names": names}).rows

    def heard() -> dict[str, int]:
        found = {row.name: row.revision for row in rows()}
        return {name: found.get(name, 0) for name in names}

    return heard


def advance(conn: Connection, name: str) -> None:
    """Count one change."""
    _ADVANCE.send(conn, {"name": name})


def lock_graph(conn: Connection, *, exclusive: bool) -> None:
    """On PostgreSQL keep releases and first registrations of a tag query apart from diffs; diffs share.

    Otherwise a diff could take up a queue that a release sees as free, or a set could miss a queue made beside it.
    """
    if conn.dialect.name == "postgresql":
        (_LOCK_GRAPH if exclusive else _SHARE_GRAPH).send(conn)


def lock_world(conn: Connection, world_id: str) -> None:
    """On PostgreSQL let one transaction at a time draft the set of a world's queues, until its commit."""
    if conn.dialect.name == "postgresql":
        _LOCK_WORLD.send(conn, {"world": world_id})


_REVISIONS = Prepared(sa.select(revisions.c.name, revisions.c.revision).where(revisions.c.name.in_(any_of("names"))))
# Sent, not waited for: a statement that follows takes its snapshot once it runs, which is when the lock is held.
_LOCK_GRAPH = Prepared(f"SELECT pg_advisory_xact_lock({GRAPH_LOCK})")
_SHARE_GRAPH = Prepared(f"SELECT pg_advisory_xact_lock_shared({GRAPH_LOCK})")
_LOCK_WORLD = Prepared("SELECT pg_advisory_xact_lock(7310002, hashtext(:world))")  # the first: as GRAPH_LOCK
_ADVANCE = Prepared(
    "INSERT INTO revisions (name, revision) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET revision = revisions.revision + 1"
)
