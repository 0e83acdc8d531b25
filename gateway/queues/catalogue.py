"""Data queues as clients may use them: which queue a ComputeKey names, and whether a strategy may write it.

A queue's world is part of its identity, so whoever may not read the world reads no record of it. Queues never change
what they are, so they are remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from controlbus.bus import Bus
from controlbus.records.data_queue import DataQueue
from controlbus.records.producer_leases import ProducerLeases
from gateway.peers import Peers
from gateway.submissions.domain import State
from gateway.submissions.store import strategies
from qmtl.core.errors import NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_progress_service_pb2 as queueprogressservicepb
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.sql.database import Database
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import known_enum

REMEMBERED_MAX = 10_000
CLASSES: Mapping[dagpb.QueueClass, str] = {
    dagpb.QUEUE_CLASS_RAW: "raw",
    dagpb.QUEUE_CLASS_INDICATOR: "indicator",
    dagpb.QUEUE_CLASS_TRADE: "trade",
}
K = TypeVar("K")
V = TypeVar("V")


class Remembered(OrderedDict[K, V], Generic[K, V]):
    """The newest entries of what never changes."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > REMEMBERED_MAX:
            self.popitem(last=False)


@dataclass(frozen=True, slots=True)
class KnownQueue:
    """A queue of the catalogue."""

    node_id: str
    interval_s: int
    data: DataQueue


class QueueCatalogue:
    """The catalogue's queues, and who may touch them."""

    def __init__(self, bus: Bus, db: Database, peers: Peers, roles: WorldRoles, leases: ProducerLeases) -> None:
        self.bus = bus
        self.leases = leases
        self._db = db
        self._peers = peers
        self._roles = roles
        self._known: Remembered[str, KnownQueue] = Remembered()
        self._nodes: Remembered[str, frozenset[str]] = Remembered()

    async def readable(self, compute_key: str, world_id: str) -> KnownQueue:
        """A queue of a world the caller may read. Raises NotFound (E_QUEUE_UNKNOWN), PermissionDenied."""
        await self._roles.require_known(world_id, Role.READER)
        return await self._of_world(compute_key, world_id)

    async def writable(self, compute_key: str, world_id: str = "") -> KnownQueue:
        """A queue of a world the caller is operator in; the world is the queue's own unless named. Raises as above."""
        queue = await self._of_world(compute_key, world_id) if world_id else await self._find(compute_key)
        await self._roles.require_known(queue.data.world_id, Role.OPERATOR)
        return queue

    async def check_bound(self, queue: KnownQueue, strategy_id: str) -> None:
        """Raises PermissionDenied (E_NOT_BOUND) unless a live strategy of the world computes the queue's node."""
        world_id = queue.data.world_id
        try:
            record = await self._db.read(lambda conn: strategies.get(conn, strategy_id))
        except NotFound:
            raise _not_bound(strategy_id, world_id) from None
        if record.state is not State.COMPLETED or world_id not in record.world_ids:
            raise _not_bound(strategy_id, world_id)
        if strategy_id not in self._nodes:
            self._nodes[strategy_id] = await self._db.read(lambda conn: strategies.node_ids_of(conn, strategy_id))
        if queue.node_id not in self._nodes[strategy_id]:
            raise _not_bound(strategy_id, world_id)

    async def report(self, queue: KnownQueue, first_ns: int, last_ns: int) -> None:
        """Tell the catalogue which buckets were written."""
        rows = (last_ns - first_ns) // (queue.interval_s * 1_000_000_000) + 1 if queue.interval_s else 1
        request = queueprogressservicepb.ReportQueueProgressRequest(compute_key=queue.data.compute_key, rows=rows)
        request.first_bucket.FromNanoseconds(first_ns)
        request.last_bucket.FromNanoseconds(last_ns)
        await self._peers.queue_progress.ReportQueueProgress(request)

    async def _of_world(self, compute_key: str, world_id: str) -> KnownQueue:
        queue = await self._find(compute_key)
        if queue.data.world_id != world_id:
            raise NotFound("E_QUEUE_UNKNOWN", f"world {world_id!r} has no queue {compute_key}")
        return queue

    async def _find(self, compute_key: str) -> KnownQueue:
        known = self._known.get(compute_key)
        if known is None:
            found = (
                await self._peers.queues.GetQueue(queuecatalogueservicepb.GetQueueRequest(compute_key=compute_key))
            ).queue
            domain = known_enum(DOMAINS, found.execution_domain, "queue.execution_domain")
            data = DataQueue(found.compute_key, CLASSES[found.queue_class], found.world_id, domain.value)
            known = self._known[compute_key] = KnownQueue(found.node_id, found.interval.seconds, data)
        return known


def _not_bound(strategy_id: str, world_id: str) -> PermissionDenied:
    return PermissionDenied(
        "E_NOT_BOUND", f"{strategy_id} is no live strategy of world {world_id!r} that computes this queue",
        hint="submit the strategy to the world first",
    )  # fmt: skip
