"""DiffService and HotfixService: DAGs merged into the graph, compared with it, released, and stored again as a hotfix.

Parsing and hashing of a large DAG run beside the event loop, so that a big diff does not hold up small calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

from dagmanager.diffs import answers, merge, redo
from dagmanager.diffs.answers import Answer
from dagmanager.diffs.domain.diff import check_contexts
from dagmanager.diffs.domain.question import Question
from dagmanager.diffs.lookups import DagMembers
from dagmanager.diffs.races import RacingWrites
from dagmanager.diffs.wire import body_of, check_texts, contexts_from_proto, question_from_proto
from dagmanager.metrics import GraphMetrics
from dagmanager.plans import reads as plan_reads
from dagmanager.plans.release import release_plan
from dagmanager.queues.events import cause_of_call
from dagmanager.sentinels import store as sentinel_store
from dagmanager.sentinels.domain import sentinel_id
from dagmanager.sentinels.wire import sentinel_to_proto
from qmtl.core.clock import Clock
from qmtl.core.errors import refused
from qmtl.core.identity.nodes import Dag
from qmtl.core.roles import Role
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import diff_service_pb2_grpc as diffrpc
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.dag.v1 import hotfix_service_pb2_grpc as hotfixrpc
from qmtl.rpc.auth.call import current_call, require_stated
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.chunks import gathered
from qmtl.sql.database import Database
from qmtl.wire.graph import SpecCache, dag_from_proto

SMALL_NODES = 32  # of a DAG that is parsed and answered in one go,
SMALL_BYTES = 64 * 1024  # and its size: parameters may have megabytes, which would hold the loop for a second

Context = Any  # grpc.aio.ServicerContext; the interceptors use it, no method here does


class DiffService(diffrpc.DiffServiceServicer):
    """Merges DAGs, previews merges, and releases what was merged."""

    def __init__(self, db: Database, clock: Clock, metrics: GraphMetrics, writes: RacingWrites, at_once: int) -> None:
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._writes = writes
        self._members = DagMembers()
        self._specs = SpecCache()
        self._turn = asyncio.Semaphore(at_once)

    async def Diff(
        self, request_iterator: AsyncIterator[diffservicepb.DiffRequest], context: Context
    ) -> AsyncIterator[diffservicepb.DiffResponse]:
        request = await gathered(request_iterator, require_stated(), diffpb.DiffQuestion)
        from_chunk = request.from_chunk
        answer = await self._diff(request)
        for chunk in answer.chunks(from_chunk):
            yield diffservicepb.DiffResponse(chunk=chunk)

    async def DiffSmall(
        self, request: diffservicepb.DiffSmallRequest, context: Context
    ) -> diffservicepb.DiffSmallResponse:
        from_chunk = request.question.from_chunk
        answer = await self._diff(request.question)
        return diffservicepb.DiffSmallResponse(chunk=next(answer.chunks(from_chunk)))

    async def DryRunDiff(
        self, request_iterator: AsyncIterator[diffservicepb.DryRunDiffRequest], context: Context
    ) -> AsyncIterator[diffservicepb.DryRunDiffResponse]:
        request = await gathered(request_iterator, require_stated(), diffpb.DiffQuestion)
        contexts = check_contexts(contexts_from_proto(request.contexts), len(request.dag.nodes))
        async with self._turn:
            dag = await asyncio.to_thread(dag_from_proto, request.dag, self._specs)
            answer = await self._db.read(lambda conn: merge.preview(conn, dag, contexts, self._members))
        for chunk in answer.chunks():
            yield diffservicepb.DryRunDiffResponse(chunk=chunk)

    async def ReleasePlan(
        self, request: diffservicepb.ReleasePlanRequest, context: Context
    ) -> diffservicepb.ReleasePlanResponse:
        cause = cause_of_call(self._clock)
        released = await self._db.write(
            lambda conn: release_plan(conn, request.strategy_id, request.version, request.world_id, cause)
        )
        return diffservicepb.ReleasePlanResponse(released_queues=released)

    async def _diff(self, request: diffpb.DiffQuestion) -> Answer:
        asked = question_from_proto(request, current_call().actor)
        if request.from_chunk and not request.dag.nodes:
            return await self._resumed(asked)
        asked = replace(asked, contexts=check_contexts(asked.contexts, len(request.dag.nodes)))
        cause = cause_of_call(self._clock, asked.request_id)
        small = is_small(request.dag)
        answer = None if small else await self._writes.run(lambda conn: merge.answer_again(conn, asked, cause))
        if answer is None:
            async with self._turn:
                dag = await self._parsed(request.dag, inline=small)
                body = partial(body_of, request.dag, dag)
                answer = await self._writes.run(lambda conn: merge.merge(conn, asked, dag, body, self._members, cause))
        self._metrics.count(answer.summary)
        return answer

    async def _parsed(self, message: dagpb.Dag, *, inline: bool) -> Dag:
        """The checked DAG; a large one is parsed in another thread."""
        if inline:
            return dag_from_proto(message, self._specs)
        return await asyncio.to_thread(dag_from_proto, message, self._specs)

    async def _resumed(self, asked: Question) -> Answer:
        """The answer of a request that is known by its id: its sender need not send the DAG again."""
        found = await self._db.read(lambda conn: answers.find_by_request(conn, asked.request_id, asked.strategy_id, ""))
        if found is None:
            raise refused("E_REQUEST_UNKNOWN", "request_id", repr(asked.request_id), "a request answered before")
        return found


class HotfixService(hotfixrpc.HotfixServiceServicer):
    """Stores a plan again under a hotfix version, which takes over its traffic."""

    def __init__(self, db: Database, clock: Clock, writes: RacingWrites, roles: WorldRoles) -> None:
        self._db = db
        self._clock = clock
        self._writes = writes
        self._roles = roles

    async def RedoDiff(
        self, request: hotfixservicepb.RedoDiffRequest, context: Context
    ) -> hotfixservicepb.RedoDiffResponse:
        check_texts(request_id=request.request_id, strategy_id=request.strategy_id, hotfix_label=request.hotfix_label)
        strategy_id = request.strategy_id
        actor, cause = current_call().actor, cause_of_call(self._clock, request.request_id)
        worlds = await self._db.read(lambda conn: sentinel_store.worlds_of_traffic(conn, strategy_id, request.version))
        await self._roles.require_each(worlds, Role.OPERATOR)
        version = await self._writes.run(lambda conn: redo.redo(conn, request, actor, cause))
        plan, sentinel = await self._db.read(
            lambda conn: (
                plan_reads.get_plan(conn, strategy_id, version, None),
                sentinel_store.require_sentinel(conn, sentinel_id(strategy_id, version)),
            )
        )
        return hotfixservicepb.RedoDiffResponse(plan=plan, sentinel=sentinel_to_proto(sentinel))


def is_small(dag: dagpb.Dag) -> bool:
    """Whether parsing a DAG costs less than to hand it to another thread."""
    return len(dag.nodes) <= SMALL_NODES and dag.ByteSize() <= SMALL_BYTES
