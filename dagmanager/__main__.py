"""Composition root: store, bus, relay, servicer. `python -m dagmanager`."""

from __future__ import annotations

import gc
from functools import partial

from controlbus.outbox.relay import Relay
from controlbus.outbox.status import StatusSources
from controlbus.service_bus import service_bus
from dagmanager.config import Settings
from dagmanager.diffs import answers
from dagmanager.diffs.races import RacingWrites
from dagmanager.diffs.service import DiffService, HotfixService
from dagmanager.garbage.collector import Collector, Limits
from dagmanager.graph.service import GraphService
from dagmanager.maintenance import MaintenanceService
from dagmanager.metrics import GraphMetrics
from dagmanager.plans.service import PlanService
from dagmanager.queues.losses import RecordLosses
from dagmanager.queues.service import QueueCatalogueService, QueueProgressService
from dagmanager.queues.watches import QueueWatches, forget_dead_watches
from dagmanager.sentinels.service import SentinelService
from dagmanager.status import StatusService
from dagmanager.tables import outbox
from qmtl.core.clock import Clock
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import diff_service_pb2_grpc as diffrpc
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import graph_service_pb2_grpc as graphrpc
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.dag.v1 import hotfix_service_pb2_grpc as hotfixrpc
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.dag.v1 import maintenance_service_pb2_grpc as maintenancerpc
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.dag.v1 import queue_progress_service_pb2 as queueprogressservicepb
from qmtl.dag.v1 import queue_progress_service_pb2_grpc as queueprogressrpc
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.dag.v1 import sentinel_service_pb2_grpc as sentinelrpc
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.dag.v1 import status_service_pb2_grpc as dagstatusrpc
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database, open_database
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc

SERVICE = "dagmanager"
RELAY_GATHER_S = 0.02  # diffs come close together, and nobody waits for one of their events


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the parts, serve until told to stop, close them in reverse."""
    clock = runtime.clock
    async with open_database(runtime) as db, service_bus(runtime) as bus:
        relay = Relay(db, outbox, bus, SERVICE, clock, gather_s=RELAY_GATHER_S)
        runtime.background("outbox-relay", relay.run)
        runtime.background("prune", partial(prune, db, clock, settings.prune_interval_s))
        metrics = GraphMetrics(runtime.metrics.registry)
        losses = RecordLosses(db, bus, clock)
        runtime.background("records", losses.run)
        collector = Collector(db, bus, clock, limits_of(settings), metrics)
        runtime.background("garbage", partial(collector.run, settings.garbage_interval_s))
        world = accessrpc.AccessServiceStub(runtime.channel("worldservice"))
        roles = WorldRoles(world.GetEffectiveRole, accessservicepb.GetEffectiveRoleRequest, clock)
        writes = RacingWrites(db, metrics)
        watches = QueueWatches(db, clock, runtime.stopping)
        maintenance = MaintenanceService(db, clock, collector, roles, settings.artifacts_root)
        server = runtime.server()
        for add, servicer, contract in (
            (
                diffrpc.add_DiffServiceServicer_to_server,
                DiffService(db, clock, metrics, writes, settings.diffs_at_once),
                diffservicepb,
            ),
            (hotfixrpc.add_HotfixServiceServicer_to_server, HotfixService(db, clock, writes, roles), hotfixservicepb),
            (planrpc.add_PlanServiceServicer_to_server, PlanService(db), planservicepb),
            (graphrpc.add_GraphServiceServicer_to_server, GraphService(db), graphservicepb),
            (
                queuecataloguerpc.add_QueueCatalogueServiceServicer_to_server,
                QueueCatalogueService(db, bus, clock, watches),
                queuecatalogueservicepb,
            ),
            (
                queueprogressrpc.add_QueueProgressServiceServicer_to_server,
                QueueProgressService(db, clock),
                queueprogressservicepb,
            ),
            (sentinelrpc.add_SentinelServiceServicer_to_server, SentinelService(db, clock, roles), sentinelservicepb),
            (maintenancerpc.add_MaintenanceServiceServicer_to_server, maintenance, maintenanceservicepb),
            (
                dagstatusrpc.add_StatusServiceServicer_to_server,
                StatusService(db, StatusSources(SERVICE, clock.now(), bus, clock, runtime.outages, relay)),
                dagstatusservicepb,
            ),
        ):
            server.add(add, servicer, service_of(contract))
        gc.collect()
        gc.freeze()  # what was made at start lives as long as the process: collections need not walk it again
        await runtime.serve(server)


def limits_of(settings: Settings) -> Limits:
    """What the settings allow a round of garbage collection."""
    return Limits(
        settings.artifacts_root, settings.garbage_batch, settings.archive_bytes_max, settings.broker_storage_bytes_max
    )


async def prune(db: Database, clock: Clock, interval_s: float) -> None:
    """Forget old answers and dead watches for as long as the service runs."""
    while True:
        await clock.sleep(interval_s)
        await db.write(lambda conn: answers.prune(conn, clock.now()))
        await db.write(lambda conn: forget_dead_watches(conn, clock.now()))


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
