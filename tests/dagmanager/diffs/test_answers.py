"""Stored answers are kept while they are used."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dagmanager.diffs import answers
from dagmanager.tables import diffs
from tests.dagmanager.graph_store import GraphStore, assignments
from tests.dagmanager.graphs import NOW, chain


async def test_old_answers_are_forgotten_and_used_ones_kept(graph_store: GraphStore) -> None:
    later = NOW + answers.KEEP + timedelta(seconds=1)
    await graph_store.diff(chain(1), request_id="old")
    await graph_store.diff(chain(1), request_id="new", now=later)
    assert await graph_store.write(lambda conn: answers.prune(conn, later)) > 0
    left = await graph_store.db.read(lambda conn: list(conn.execute(sa.select(diffs.c.request_id)).scalars()))
    assert left == ["new"]
    assert assignments(await graph_store.diff(chain(1), request_id="new", now=later))
