"""Composition root: store, bus, relay, servicer. `python -m dagmanager`."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from dagmanager.access import Access
from dagmanager.config import Settings
from dagmanager.diffs import answers
from dagmanager.diffs.service import DagManager
from dagmanager.garbage.collector import Collector, Limits
from dagmanager.metrics import Measures
from dagmanager.queues.watches import Watching, forget_dead_watches
from dagmanager.status import StatusReport
from dagmanager.tables import outbox
from qmtl.core.clock import Clock
from qmtl.dag.v1 import service_pb2 as servicepb
from qmtl.dag.v1 import service_pb2_grpc as rpc
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database
from qmtl.world.v1 import service_pb2_grpc as worldrpc

SERVICE = "dagmanager"
RELAY_GATHER_S = 0.02  # diffs come close together, and nobody waits for one of their events


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the parts, serve until told to stop, close them in reverse."""
    clock, mesh = runtime.clock, settings.mesh
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
        stack.push_async_callback(db.close)
        await db.migrate("dagmanager:migrations")
        bus = await Bus.connect(
            mesh.nats_url,
            service=SERVICE,
            credentials=mesh.nats_credentials,
            replicas=mesh.stream_replicas,
            clock=clock,
            registry=runtime.metrics.registry,
        )
        stack.push_async_callback(bus.close)
        relay = Relay(db, outbox, bus, SERVICE, clock, gather_s=RELAY_GATHER_S)
        runtime.background("outbox-relay", relay.run())
        runtime.background("prune", prune(db, clock, settings.prune_interval_s))
        measures = Measures(runtime.metrics.registry)
        collector = Collector(db, bus, clock, limits_of(settings), measures)
        runtime.background("garbage", collector.run(settings.garbage_interval_s))
        servicer = DagManager(
            db,
            bus,
            clock,
            StatusReport(db, bus, relay, clock),
            measures,
            Watching(db, clock, runtime.stopping),
            collector,
            Access(worldrpc.WorldServiceStub(runtime.channel("worldservice"))),
            artifacts_root=settings.artifacts_root,
            diffs_at_once=settings.diffs_at_once,
        )
        server = runtime.server()
        descriptor = servicepb.DESCRIPTOR.services_by_name["DagManagerService"]
        server.add(rpc.add_DagManagerServiceServicer_to_server, servicer, descriptor)
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
