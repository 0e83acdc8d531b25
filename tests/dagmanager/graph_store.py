"""A graph under test, asked as the service asks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.diffs import merge
from dagmanager.diffs.answers import Answer
from dagmanager.diffs.domain.diff import check_contexts
from dagmanager.diffs.domain.question import Question
from dagmanager.diffs.lookups import DagMembers
from dagmanager.plans.store import Raced
from dagmanager.queues.events import Cause
from dagmanager.tables import outbox
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.identity import canonical
from qmtl.core.identity.dag import check_dag
from qmtl.core.identity.nodes import DagNode
from qmtl.core.modes import ComputeContext
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.sql.database import Database
from qmtl.wire.graph import dag_to_proto
from tests.dagmanager.graphs import NOW, context

CAUSE = Cause(NOW)

T = TypeVar("T")


class GraphStore:
    """One store; `diff` is what the Diff RPC does without its wire."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.members = DagMembers()
        self.requests = 0

    async def diff(
        self,
        nodes: Sequence[DagNode],
        strategy_id: str = "s1",
        contexts: Sequence[ComputeContext] = (context(),),
        *,
        request_id: str = "",
        label: str = "",
        decline: bool = False,
        weight: float = 1.0,
        now: datetime = NOW,
    ) -> Answer:
        self.requests += 1
        dag = check_dag(nodes)
        asked = Question(
            request_id=request_id or f"r{self.requests}",
            strategy_id=strategy_id,
            digest=canonical.digest(repr((strategy_id, dag.digest, contexts, label, decline, weight)).encode()),
            contexts=check_contexts(contexts, len(nodes)),
            version_label=label,
            decline_sentinel=decline,
            traffic_weight=weight,
            created_by="alice",
        )
        cause = Cause(now, "c1", asked.request_id)
        found = await self.write(lambda conn: merge.answer_again(conn, asked, cause))
        if found is not None:
            return found
        body = partial(dag_to_proto(dag).SerializeToString, deterministic=True)
        return await self.write(lambda conn: merge.merge(conn, asked, dag, body, self.members, cause))

    async def write(self, work: Callable[[Connection], T]) -> T:
        for _ in range(50):
            try:
                return await self.db.write(work)
            except Raced:
                continue
        raise AssertionError("lost fifty races")

    async def count(self, table: sa.Table) -> int:
        return await self.db.read(lambda conn: conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    async def events(self) -> list[controlpb.ControlEvent]:
        """Everything published so far, in order, but for the sets of worlds."""
        return [event for event in await self._published() if not event.HasField("world_queues_updated")]

    async def world_sets(self) -> list[controlpb.ControlEvent]:
        """The sets of worlds published so far, in order."""
        return [event for event in await self._published() if event.HasField("world_queues_updated")]

    async def _published(self) -> list[controlpb.ControlEvent]:
        rows = await self.db.read(lambda conn: outbox.unsent(conn, 10_000))
        return [controlpb.ControlEvent.FromString(row.body) for row in rows]


def assignments(answer: Answer) -> list[diffpb.QueueAssignment]:
    """All assignments of an answer, over its chunks."""
    return [assignment for chunk in answer.chunks() for assignment in chunk.assignments]


def keys(answer: Answer) -> list[tuple[str, str, str]]:
    """What must be the same whoever asks: node, ComputeKey, topic."""
    return [(each.node_id, each.compute_key, each.topic) for each in assignments(answer)]
