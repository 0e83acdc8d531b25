"""MaintenanceService: garbage collection and snapshots of the graph, for operators. Stands above both subjects."""

from __future__ import annotations

import asyncio

from dagmanager.artifacts.store import keep_artifact
from dagmanager.artifacts.wire import artifact_to_proto
from dagmanager.garbage import store as garbage_store
from dagmanager.garbage.collector import Collector
from dagmanager.garbage.domain import Kept
from dagmanager.garbage.wire import round_to_proto
from dagmanager.queues.events import cause_of_call
from dagmanager.queues.wire import check_key_count
from dagmanager.snapshots import snapshot
from qmtl.core.clock import Clock
from qmtl.core.roles import Role
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.dag.v1 import maintenance_service_pb2_grpc as maintenancerpc
from qmtl.rpc.auth.call import is_for_world, require_all_worlds
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.sql.database import Database


class MaintenanceService(maintenancerpc.MaintenanceServiceServicer):
    """Maintains one store, with its files below `artifacts_root`."""

    def __init__(
        self, db: Database, clock: Clock, collector: Collector, roles: WorldRoles, artifacts_root: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._collector = collector
        self._roles = roles
        self._artifacts_root = artifacts_root

    async def CollectGarbage(
        self, request: maintenanceservicepb.CollectGarbageRequest, context: object
    ) -> maintenanceservicepb.CollectGarbageResponse:
        names, cause = frozenset(request.compute_keys), cause_of_call(self._clock)
        check_key_count(names, garbage_store.NAMES_MAX)
        queues = await self._db.read(lambda conn: garbage_store.named(conn, names, cause.now))
        hidden = {queue.compute_key for queue in queues if not is_for_world(queue.world_id)}
        await self._roles.require_each(
            {each.world_id for each in queues if each.compute_key not in hidden}, Role.OPERATOR
        )
        work = self._collector.look if request.dry_run else self._collector.collect
        seen = await work(names - hidden, cause)
        seen.skipped.update(dict.fromkeys(sorted(hidden), Kept.QUEUE_UNKNOWN))
        return round_to_proto(seen)

    async def ExportSnapshot(
        self, request: maintenanceservicepb.ExportSnapshotRequest, context: object
    ) -> maintenanceservicepb.ExportSnapshotResponse:
        require_all_worlds(Role.OPERATOR)
        now = self._clock.now()
        made = await self._db.read(lambda conn: snapshot.export(conn, self._artifacts_root, request.url))
        await self._db.write(lambda conn: keep_artifact(conn, made.artifact, "", now))
        artifact = artifact_to_proto(made.artifact, "", now)
        return maintenanceservicepb.ExportSnapshotResponse(artifact=artifact, content_hash=made.content_hash)

    async def VerifySnapshot(
        self, request: maintenanceservicepb.VerifySnapshotRequest, context: object
    ) -> maintenanceservicepb.VerifySnapshotResponse:
        require_all_worlds(Role.OPERATOR)
        found = await asyncio.to_thread(snapshot.read, self._artifacts_root, request.url)
        current = await self._db.read(snapshot.current_hash)
        return maintenanceservicepb.VerifySnapshotResponse(content_hash=found, current=found == current)
