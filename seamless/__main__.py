"""Composition root of seamless: `python -m seamless`."""

import asyncio
from contextlib import AsyncExitStack

from qmtl.data.v1 import (
    artifact_service_pb2,
    artifact_service_pb2_grpc,
    catalogue_service_pb2,
    catalogue_service_pb2_grpc,
    coverage_service_pb2,
    coverage_service_pb2_grpc,
    data_service_pb2,
    data_service_pb2_grpc,
    data_session_service_pb2,
    data_session_service_pb2_grpc,
    status_service_pb2,
    status_service_pb2_grpc,
)
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.run import Runtime, start
from qmtl.rpc.server.server import Server
from qmtl.sql.database import Database
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from seamless.artifacts.archive import Archive
from seamless.artifacts.ingest import ingest_all
from seamless.artifacts.inventory import Inventory
from seamless.artifacts.service import ArtifactServicer
from seamless.catalogue.service import CatalogueServicer
from seamless.config import Settings
from seamless.coverage.service import CoverageServicer
from seamless.fetch.fetcher import Fetcher
from seamless.fetch.service import DataServicer
from seamless.metrics import SeamlessMetrics
from seamless.presets.builtin import presets_of
from seamless.replay.service import DataSessionServicer
from seamless.replay.sessions import ReplaySessions
from seamless.replay.subscription import Subscriptions
from seamless.status import StatusServicer

SERVICE = "seamless"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the store, make ready what is sealed, serve, and ingest beside it."""
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
        stack.push_async_callback(db.close)
        await db.migrate("seamless:migrations")
        metrics = SeamlessMetrics(runtime.metrics.registry)
        inventory = Inventory(presets_of(settings), db, Archive(settings.data_path), metrics)
        await inventory.load()
        sessions = ReplaySessions(inventory, db, runtime.clock, settings, metrics)
        fetcher = Fetcher(inventory, sessions, runtime.clock, settings.storage_budget_s, metrics)
        world = accessrpc.AccessServiceStub(runtime.channel("worldservice"))
        roles = WorldRoles(world.GetEffectiveRole, accessservicepb.GetEffectiveRoleRequest, runtime.clock)
        server = runtime.server()
        add_services(server, inventory, sessions, roles, fetcher)
        add_status(server, StatusServicer(inventory, runtime.clock.now()))
        runtime.background("ingest", keep_ingested(inventory))
        runtime.background("replays", sessions.run())
        runtime.background("replays-end", sessions.close_when(server.draining))
        await runtime.serve(server)


def add_services(
    server: Server, inventory: Inventory, sessions: ReplaySessions, roles: WorldRoles, fetcher: Fetcher
) -> None:
    """Serve everything but the status."""
    server.add(
        data_service_pb2_grpc.add_DataServiceServicer_to_server,
        DataServicer(fetcher, Subscriptions(inventory, sessions, roles)),
        data_service_pb2.DESCRIPTOR.services_by_name["DataService"],
    )
    server.add(
        coverage_service_pb2_grpc.add_CoverageServiceServicer_to_server,
        CoverageServicer(inventory),
        coverage_service_pb2.DESCRIPTOR.services_by_name["CoverageService"],
    )
    server.add(
        catalogue_service_pb2_grpc.add_CatalogueServiceServicer_to_server,
        CatalogueServicer(inventory),
        catalogue_service_pb2.DESCRIPTOR.services_by_name["CatalogueService"],
    )
    server.add(
        artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server,
        ArtifactServicer(inventory),
        artifact_service_pb2.DESCRIPTOR.services_by_name["ArtifactService"],
    )
    server.add(
        data_session_service_pb2_grpc.add_DataSessionServiceServicer_to_server,
        DataSessionServicer(inventory, sessions, roles),
        data_session_service_pb2.DESCRIPTOR.services_by_name["DataSessionService"],
    )


def add_status(server: Server, servicer: StatusServicer) -> None:
    """Serve the status."""
    descriptor = status_service_pb2.DESCRIPTOR.services_by_name["StatusService"]
    server.add(status_service_pb2_grpc.add_StatusServiceServicer_to_server, servicer, descriptor)


async def keep_ingested(inventory: Inventory) -> None:
    """Ingest once; what is sealed stays, so there is nothing to do until the next start."""
    await ingest_all(inventory)
    await asyncio.Event().wait()


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
