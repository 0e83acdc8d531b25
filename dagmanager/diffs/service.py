"""The DAG Manager's servicer: one short method per RPC, all rules and SQL behind it.

Parsing and hashing of a large DAG run beside the event loop, so that a big diff does not hold up small calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from controlbus.bus import Bus
from dagmanager import access as dagmanager_access
from dagmanager.access import Access, in_token, require_estate
from dagmanager.artifacts import store as artifacts_store
from dagmanager.artifacts import wire as artifacts_wire
from dagmanager.diffs import answers, merge, redo, wire
from dagmanager.diffs.answers import Answer
from dagmanager.diffs.domain.diff import check_contexts
from dagmanager.diffs.lookups import DagMembers
from dagmanager.diffs.merge import Question
from dagmanager.garbage import store as garbage_store
from dagmanager.garbage import wire as garbage_wire
from dagmanager.garbage.collector import Collector
from dagmanager.garbage.domain import Kept
from dagmanager.graph import reads as graph_reads
from dagmanager.metrics import Measures
from dagmanager.plans import reads, release
from dagmanager.plans.store import Raced
from dagmanager.queues import reads as queues_reads
from dagmanager.queues import recompute, stats
from dagmanager.queues import wire as queues_wire
from dagmanager.queues.domain.queues import TagQuery
from dagmanager.queues.events import Cause
from dagmanager.queues.watches import Watching, snapshot
from dagmanager.sentinels import reads as sentinels_reads
from dagmanager.sentinels import store as sentinels_store
from dagmanager.sentinels import weights
from dagmanager.sentinels import wire as sentinels_wire
from dagmanager.sentinels.domain import clamped, sentinel_id
from dagmanager.snapshots import snapshot as snapshots_snapshot
from dagmanager.status import StatusReport
from qmtl.core.clock import Clock
from qmtl.core.errors import Unavailable, refused
from qmtl.core.identity import canonical
from qmtl.core.identity.nodes import Dag
from qmtl.core.roles import Role
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as pb
from qmtl.dag.v1 import service_pb2_grpc as rpc
from qmtl.rpc.auth.call import current_call, require_role, require_world
from qmtl.sql.database import Database
from qmtl.wire.graph import SpecCache, dag_from_proto
from qmtl.wire.instants import instant_from_proto

RACES_MAX = 10
SMALL_NODES = 32  # of a DAG that is parsed and answered in one go,
SMALL_BYTES = 64 * 1024  # and its size: parameters may have megabytes, which would hold the loop for a second
TEXT_MAX = 200

Context = Any  # grpc.aio.ServicerContext; the interceptors use it, no method here does
T = TypeVar("T")


class DagManager(rpc.DagManagerServiceServicer):
    """The graph behind its contract."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        clock: Clock,
        status: StatusReport,
        measures: Measures,
        watching: Watching,
        collector: Collector,
        access: Access,
        *,
        artifacts_root: str,
        diffs_at_once: int = 4,
    ) -> None:
        self._db = db
        self._bus = bus
        self._watching = watching
        self._collector = collector
        self._access = access
        self._artifacts_root = artifacts_root
        self._clock = clock
        self._status = status
        self._measures = measures
        self._members = DagMembers()
        self._specs = SpecCache()
        self._turn = asyncio.Semaphore(diffs_at_once)

    async def Diff(self, request: pb.DiffRequest, context: Context) -> AsyncIterator[pb.DiffResponse]:
        from_chunk = request.from_chunk
        answer = await self._diff(request)
        for chunk in answer.chunks(from_chunk):
            yield pb.DiffResponse(chunk=chunk)

    async def DryRunDiff(self, request: pb.DryRunDiffRequest, context: Context) -> AsyncIterator[pb.DryRunDiffResponse]:
        contexts = check_contexts(wire.contexts_from_proto(request.contexts), len(request.dag.nodes))
        async with self._turn:
            dag = await asyncio.to_thread(dag_from_proto, request.dag, self._specs)
            answer = await self._db.read(lambda conn: merge.preview(conn, dag, contexts, self._members))
        for chunk in answer.chunks():
            yield pb.DryRunDiffResponse(chunk=chunk)

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.GetPlanResponse:
        worlds = _reader()
        plan = await self._db.read(lambda conn: reads.get_plan(conn, request.strategy_id, request.version, worlds))
        return pb.GetPlanResponse(plan=plan)

    async def ListPlans(self, request: pb.ListPlansRequest, context: Context) -> pb.ListPlansResponse:
        worlds = _reader()
        return await self._db.read(lambda conn: reads.list_plans(conn, request.strategy_id, request.page, worlds))

    async def RedoDiff(self, request: pb.RedoDiffRequest, context: Context) -> pb.RedoDiffResponse:
        _check_texts(request_id=request.request_id, strategy_id=request.strategy_id, label=request.hotfix_label)
        strategy_id, actor, cause = request.strategy_id, current_call().actor, self._cause(request.request_id)
        worlds = await self._db.read(lambda conn: sentinels_store.worlds_of_traffic(conn, strategy_id, request.version))
        await self._access.require(worlds, Role.OPERATOR)
        version = await self._write(lambda conn: redo.redo(conn, request, actor, cause))
        plan, sentinel = await self._db.read(
            lambda conn: (
                reads.get_plan(conn, strategy_id, version, None),
                sentinels_store.require_sentinel(conn, sentinel_id(strategy_id, version)),
            )
        )
        return pb.RedoDiffResponse(plan=plan, sentinel=sentinels_wire.sentinel_to_proto(sentinel))

    async def ReleasePlan(self, request: pb.ReleasePlanRequest, context: Context) -> pb.ReleasePlanResponse:
        cause = self._cause()
        released = await self._write(
            lambda conn: release.release_plan(conn, request.strategy_id, request.version, request.world_id, cause)
        )
        return pb.ReleasePlanResponse(released_queues=released)

    async def GetNode(self, request: pb.GetNodeRequest, context: Context) -> pb.GetNodeResponse:
        worlds = _reader()
        return pb.GetNodeResponse(
            node=await self._db.read(lambda conn: graph_reads.get_node(conn, request.node_id, worlds))
        )

    async def ListNodes(self, request: pb.ListNodesRequest, context: Context) -> pb.ListNodesResponse:
        worlds = _reader()
        return await self._db.read(lambda conn: graph_reads.list_nodes(conn, request, worlds))

    async def GetGraph(self, request: pb.GetGraphRequest, context: Context) -> pb.GetGraphResponse:
        worlds = _reader()
        match request.WhichOneof("root"):
            case "strategy_id":
                return await self._db.read(lambda conn: graph_reads.strategy_graph(conn, request.strategy_id, worlds))
            case "node_id":
                return await self._db.read(
                    lambda conn: graph_reads.neighbourhood(conn, request.node_id, request.depth, worlds)
                )
        raise refused("E_GRAPH_ROOT", "root", "missing", "strategy_id or node_id")

    async def GetQueue(self, request: pb.GetQueueRequest, context: Context) -> pb.GetQueueResponse:
        worlds = _reader()
        queue = await self._db.read(lambda conn: queues_reads.get_queue(conn, request.compute_key, worlds))
        return pb.GetQueueResponse(queue=queue)

    async def ListQueues(self, request: pb.ListQueuesRequest, context: Context) -> pb.ListQueuesResponse:
        worlds = _reader()
        if request.world_id:
            require_world(request.world_id)
        return await self._db.read(lambda conn: queues_reads.page_of_queues(conn, request, worlds))

    async def QueryQueues(self, request: pb.QueryQueuesRequest, context: Context) -> pb.QueryQueuesResponse:
        query = _readable_query(request.query)
        found, revision = await self._db.read(lambda conn: snapshot(conn, query))
        return pb.QueryQueuesResponse(queues=found, revision=revision)

    async def WatchQueues(
        self, request: pb.WatchQueuesRequest, context: Context
    ) -> AsyncIterator[pb.WatchQueuesResponse]:
        async with aclosing(self._watching.sets(_readable_query(request.query), self._cause())) as sets:
            async for each in sets:
                yield each

    async def ReportQueueProgress(
        self, request: pb.ReportQueueProgressRequest, context: Context
    ) -> pb.ReportQueueProgressResponse:
        first = instant_from_proto(request.first_bucket, "first_bucket")
        last = instant_from_proto(request.last_bucket, "last_bucket")
        cause = self._cause()
        await self._db.write(
            lambda conn: recompute.report_progress(conn, request.compute_key, first, last, request.rows, cause)
        )
        return pb.ReportQueueProgressResponse()

    async def ListSentinels(self, request: pb.ListSentinelsRequest, context: Context) -> pb.ListSentinelsResponse:
        worlds = _reader()
        return await self._db.read(
            lambda conn: sentinels_reads.list_sentinels(conn, request.strategy_id, request.page, worlds)
        )

    async def SetTrafficWeight(
        self, request: pb.SetTrafficWeightRequest, context: Context
    ) -> pb.SetTrafficWeightResponse:
        target, weight, etag = request.sentinel_id, request.traffic_weight, request.etag
        worlds = await self._db.read(lambda conn: sentinels_store.worlds_of_sentinel(conn, target))
        await self._access.require(worlds, Role.OPERATOR)
        cause = self._cause()
        after = await self._db.write(lambda conn: weights.set_weight(conn, target, weight, etag, cause))
        return pb.SetTrafficWeightResponse(sentinel=sentinels_wire.sentinel_to_proto(after))

    async def GetQueueStats(self, request: pb.GetQueueStatsRequest, context: Context) -> pb.GetQueueStatsResponse:
        worlds = _reader()
        keys = list(request.compute_keys)
        _check_count(keys, stats.KEYS_MAX)
        queues = await self._db.read(lambda conn: stats.written(conn, keys, worlds))
        return pb.GetQueueStatsResponse(stats=await stats.measure(self._bus, queues, self._clock.now()))

    async def CollectGarbage(self, request: pb.CollectGarbageRequest, context: Context) -> pb.CollectGarbageResponse:
        names, cause = frozenset(request.compute_keys), self._cause()
        _check_count(names, garbage_store.NAMES_MAX)
        queues = await self._db.read(lambda conn: garbage_store.named(conn, names, cause.now))
        hidden = {queue.compute_key for queue in queues if not in_token(queue.world_id)}
        await self._access.require({each.world_id for each in queues if each.compute_key not in hidden}, Role.OPERATOR)
        work = self._collector.look if request.dry_run else self._collector.collect
        seen = await work(names - hidden, cause)
        seen.skipped.update(dict.fromkeys(sorted(hidden), Kept.QUEUE_UNKNOWN))
        return garbage_wire.round_to_proto(seen)

    async def ExportSnapshot(self, request: pb.ExportSnapshotRequest, context: Context) -> pb.ExportSnapshotResponse:
        require_estate(Role.OPERATOR)
        now = self._clock.now()
        made = await self._db.read(lambda conn: snapshots_snapshot.export(conn, self._artifacts_root, request.url))
        await self._db.write(lambda conn: artifacts_store.keep_artifact(conn, made.artifact, "", now))
        artifact = artifacts_wire.artifact_to_proto(made.artifact, "", now)
        return pb.ExportSnapshotResponse(artifact=artifact, content_hash=made.content_hash)

    async def VerifySnapshot(self, request: pb.VerifySnapshotRequest, context: Context) -> pb.VerifySnapshotResponse:
        require_estate(Role.OPERATOR)
        found = await asyncio.to_thread(snapshots_snapshot.read, self._artifacts_root, request.url)
        current = await self._db.read(snapshots_snapshot.current_hash)
        return pb.VerifySnapshotResponse(content_hash=found, current=found == current)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        return await self._status.report()

    async def _diff(self, request: pb.DiffRequest) -> Answer:
        asked = _question(request)
        if request.from_chunk and not request.dag.nodes:
            return await self._resumed(asked)
        asked = replace(asked, contexts=check_contexts(asked.contexts, len(request.dag.nodes)))
        cause = self._cause(asked.request_id)
        small = is_small(request.dag)
        answer = None if small else await self._write(lambda conn: merge.answer_again(conn, asked, cause))
        if answer is None:
            async with self._turn:
                dag = await self._parsed(request.dag, inline=small)
                body = partial(wire.body_of, request.dag, dag)
                answer = await self._write(lambda conn: merge.merge(conn, asked, dag, body, self._members, cause))
        self._measures.count(answer.summary)
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

    async def _write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction, again when another process got there first."""
        for _ in range(RACES_MAX):
            try:
                return await self._db.write(work)
            except Raced:
                self._measures.races.inc()
        raise Unavailable("E_GRAPH_BUSY", "other diffs kept changing the same nodes", retry_after_s=0.5)

    def _cause(self, request_id: str = "") -> Cause:
        call = current_call()
        return Cause(self._clock.now(), call.correlation_id, request_id or call.request_id)


def is_small(dag: dagpb.Dag) -> bool:
    """Whether parsing a DAG costs less than to hand it to another thread."""
    return len(dag.nodes) <= SMALL_NODES and dag.ByteSize() <= SMALL_BYTES


def _reader() -> dagmanager_access.Worlds:
    """Demand a reader; the worlds its token is limited to, None for all."""
    require_role(Role.READER)
    identity_ = current_call().identity
    return None if identity_ is None else identity_.worlds


def _readable_query(message: dagpb.TagQuery) -> TagQuery:
    """The query of a reader; a token for some worlds must name one of them."""
    query = queues_wire.tag_query_from_proto(message)
    if _reader() is not None:
        require_world(query.world_id)
    return query


def _check_texts(**texts: str) -> None:
    for field, text in texts.items():
        if not 0 < len(text) <= TEXT_MAX:
            raise refused("E_REQUEST_FIELDS", field, f"{len(text)} characters", f"1 to {TEXT_MAX} characters")


def _check_count(keys: Collection[str], most: int) -> None:
    if len(keys) > most:
        raise refused("E_TOO_MANY_KEYS", "compute_keys", str(len(keys)), f"at most {most}")


def _question(request: pb.DiffRequest) -> Question:
    """The question of a request. Raises InvalidRequest (E_REQUEST_FIELDS, E_TRAFFIC_WEIGHT, E_ENUM, E_TIMESTAMP)."""
    _check_texts(request_id=request.request_id, strategy_id=request.strategy_id)
    if len(request.version_label) > TEXT_MAX or len(request.created_by) > TEXT_MAX:
        raise refused("E_REQUEST_FIELDS", "version_label, created_by", "too long", f"at most {TEXT_MAX} characters")
    weight = clamped(request.traffic_weight if request.HasField("traffic_weight") else None)
    return Question(
        request_id=request.request_id,
        strategy_id=request.strategy_id,
        digest=_digest(request),
        contexts=tuple(wire.contexts_from_proto(request.contexts)),
        version_label=request.version_label,
        decline_sentinel=request.decline_sentinel,
        traffic_weight=weight,
        created_by=request.created_by or current_call().actor,
    )


def _digest(request: pb.DiffRequest) -> str:
    """Of all that is asked: everything but which request asks, and from which chunk on it wants the answer.

    The two are taken out for a moment rather than from a copy: a DAG may have megabytes.
    """
    request_id, from_chunk = request.request_id, request.from_chunk
    request.ClearField("request_id")
    request.ClearField("from_chunk")
    asked = request.SerializeToString(deterministic=True)
    request.request_id, request.from_chunk = request_id, from_chunk
    return canonical.digest(asked)
