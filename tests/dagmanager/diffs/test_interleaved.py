"""What another process commits in the middle of a diff, on PostgreSQL: no stored answer may come from before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import Connection

from dagmanager.diffs.answers import Answer
from dagmanager.diffs.lookups import DagMembers
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.sql.database import Database
from tests.dagmanager.graph_store import GraphStore, assignments
from tests.dagmanager.graphs import chain, context, node


class Interrupted(DagMembers):
    """Lets something else happen once, after nodes and sharers were read and before the members of a DAG are."""

    def __init__(self, loop: asyncio.AbstractEventLoop, meanwhile: Callable[[], Coroutine[Any, Any, Answer]]) -> None:
        super().__init__()
        self._loop = loop
        self._meanwhile: Callable[[], Coroutine[Any, Any, Answer]] | None = meanwhile

    def of(self, conn: Connection, digest: str) -> frozenset[str]:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            asyncio.run_coroutine_threadsafe(meanwhile(), self._loop).result(20)
        return super().of(conn, digest)


@pytest.fixture
async def db(postgres_url: str) -> AsyncIterator[Database]:
    db = Database(postgres_url)
    await db.migrate("dagmanager:migrations")
    yield db
    await db.close()


def shared_with(answer: Answer) -> list[int]:
    return [each.shared_with for each in assignments(answer)]


@pytest.mark.parametrize("first", [False, True], ids=["again", "for the first time"])
async def test_a_strategy_that_joins_during_a_diff_is_in_the_next_answer(db: Database, first: bool) -> None:
    """The diff's own reference may be new, which counts in its context as the other's does."""
    nodes, graph_store, other = chain(3), GraphStore(db), GraphStore(db)
    if not first:
        await graph_store.diff(nodes, "s1")
    await graph_store.diff(nodes, "s2")
    graph_store.members = Interrupted(asyncio.get_running_loop(), lambda: other.diff(nodes, "s3", request_id="joined"))
    assert shared_with(await graph_store.diff(nodes, "s1")) == [1, 1, 1]
    after = await graph_store.diff(nodes, "s1")
    assert (shared_with(after), after.summary.seen_before) == ([2, 2, 2], False)
    again = await graph_store.diff(nodes, "s1")
    assert (shared_with(again), again.summary.seen_before) == ([2, 2, 2], True)


async def test_a_schema_that_changes_during_a_diff_that_changes_another_unsettles_it(db: Database) -> None:
    """The other change is in another world, so that only the schemas' own revision tells of it."""
    a, b, graph_store, other = node("a"), node("b"), GraphStore(db), GraphStore(db)
    await graph_store.diff([a, b], "s1")
    await graph_store.diff([a, b], "s2")
    changed = [a, node("b", schema_hash="s2")]
    graph_store.members = Interrupted(
        asyncio.get_running_loop(),
        lambda: other.diff([node("a", schema_hash="s2")], "s3", [context("w2")], request_id="changed"),
    )
    await graph_store.diff(changed, "s1")
    after = await graph_store.diff(changed, "s1")
    assert not after.summary.seen_before
    assert {each.disposition for each in assignments(after)} == {diffpb.DISPOSITION_REUSED_WITH_BUFFERING}
