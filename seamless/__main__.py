"""Composition root of seamless: `python -m seamless`."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from random import Random

from controlbus.service_bus import service_bus
from qmtl.core.clock import Clock
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import feature_service_pb2_grpc as featurerpc
from qmtl.data.v1 import file_service_pb2 as fileservicepb
from qmtl.data.v1 import file_service_pb2_grpc as filerpc
from qmtl.data.v1 import schema_service_pb2 as schemaservicepb
from qmtl.data.v1 import schema_service_pb2_grpc as schemarpc
from qmtl.data.v1 import status_service_pb2 as statusservicepb
from qmtl.data.v1 import status_service_pb2_grpc as statusrpc
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.run import Runtime, start
from qmtl.rpc.server.server import Server
from qmtl.sql.database import Database, open_database
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc
from seamless.artifacts.archive import Archive
from seamless.artifacts.ingest import ingest_all
from seamless.artifacts.inventory import Inventory
from seamless.artifacts.service import ArtifactServicer
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.filling import Filling
from seamless.backfill.flights import Flights
from seamless.catalogue.service import CatalogueServicer
from seamless.config import Settings
from seamless.coverage.service import CoverageServicer
from seamless.features.files import FeatureFiles
from seamless.features.plane import FeaturePlane
from seamless.features.service import FeatureServicer
from seamless.fetch.fetcher import Fetcher
from seamless.fetch.filler import Filler
from seamless.fetch.service import DataServicer
from seamless.live.assembly import feed_clocks, sources
from seamless.live.assembly import feeds as feeds_of
from seamless.live.feed import LiveFeed
from seamless.live.following import Following
from seamless.live.reports import FeedReports, MemberLags
from seamless.live.sessions import LiveSessions
from seamless.metrics import SeamlessMetrics
from seamless.presets.builtin import presets_of
from seamless.recordings.recorder import Recorder
from seamless.remotes.learning import Learning
from seamless.remotes.source import remote_sources
from seamless.replay.service import DataSessionServicer
from seamless.replay.sessions import ReplaySessions
from seamless.replay.subscription import Subscriptions
from seamless.replay.world_ends import WorldEnds
from seamless.schema_registry.service import SchemaServicer
from seamless.status import StatusServicer
from seamless.storage.compaction import keep_compacted
from seamless.storage.storage import Storage
from seamless.uploads.service import FileServicer
from seamless.uploads.uploads import Uploads

SERVICE = "seamless"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the store, make ready what is sealed, serve, and ingest and follow exchanges beside it."""
    async with open_database(runtime) as db, AsyncExitStack() as stack:
        metrics = SeamlessMetrics(runtime.metrics.registry)
        inventory = Inventory(presets_of(settings), db, Archive(settings.data_path), metrics)
        storage = Storage(settings.data_path / "stored", db)
        uploads = Uploads(
            inventory, db, settings.data_path / "uploads", settings.uploads_max, settings.identity_uploads_max
        )
        await runtime.patiently("store", uploads.load)
        await runtime.patiently("store", inventory.load)
        runtime.watch_disk("data disk", settings.data_path)
        feeds, filling = await fetch_and_follow(runtime, settings, inventory, storage, metrics, db, stack)
        live = LiveSessions(feeds, inventory, db, runtime.clock)
        await runtime.patiently("store", live.tell_changes)
        sessions = ReplaySessions(inventory, db, runtime.clock, settings, metrics)
        filler = Filler(filling)
        budget_s = settings.storage_budget_s
        fetcher = Fetcher(inventory, storage, sessions, live, filler, runtime.clock, budget_s, metrics)
        world = accessrpc.AccessServiceStub(runtime.channel("worldservice"))
        roles = WorldRoles(world.GetEffectiveRole, accessservicepb.GetEffectiveRoleRequest, runtime.clock)
        server = runtime.server()
        recorder = Recorder(inventory, db)
        add_services(server, inventory, sessions, live, roles, fetcher, uploads, storage, filling, recorder)
        features = FeaturePlane(
            inventory, db, FeatureFiles(settings.data_path / "features"), settings.world_features_max
        )
        add_registries(server, inventory, features, roles, runtime.clock)
        add_status(server, StatusServicer(inventory, runtime.clock.now(), runtime.outages))
        runtime.background("uploads", partial(uploads.run, runtime.clock))
        runtime.background("ingest", partial(keep_ingested, inventory))
        runtime.background("compaction", partial(keep_compacted, storage, runtime.clock))
        runtime.background("fetch-fills", filler.run)
        runtime.background("replays", sessions.run)
        ends = WorldEnds(sessions, live, worldrpc.WorldServiceStub(runtime.channel("worldservice")), runtime.clock)
        runtime.background("replays-of-worlds", ends.run)
        runtime.background("replays-end", partial(keep_closing, sessions, server.draining))
        runtime.background("live-end", partial(keep_closing, live, server.draining))
        await runtime.serve(server)


async def fetch_and_follow(
    runtime: Runtime,
    settings: Settings,
    inventory: Inventory,
    storage: Storage,
    metrics: SeamlessMetrics,
    db: Database,
    stack: AsyncExitStack,
) -> tuple[Mapping[str, LiveFeed], Filling]:
    """Follow every exchange and other seamless of the settings, in the background: the feeds by their presets, and what
    fills datasets. Without one no broker is asked for.
    """
    if not settings.exchanges and not settings.remotes:
        return {}, Filling({}, None, storage, inventory)
    bus = await stack.enter_async_context(service_bus(runtime))
    found = await stack.enter_async_context(sources(settings, inventory.presets, bus, runtime.clock))
    remotes = await stack.enter_async_context(remote_sources(settings, inventory))
    learning = Learning(inventory, db, remotes, runtime.outages.note)
    await runtime.patiently("store", learning.load)
    runtime.background("remotes", partial(learning.run, runtime.clock, Random()))
    backfiller = Backfiller(storage, Flights(bus, runtime.clock), runtime.clock, metrics, Random())
    made = feeds_of(settings, inventory.presets, found, storage, backfiller, metrics)
    worlds = sessionrpc.SessionServiceStub(runtime.channel("worldservice"))
    for name, feed in made.items():
        runtime.background(f"feed-{name}", Following(feed, found[name], runtime.clock, metrics).run)
    for name, clock in feed_clocks(inventory.presets, made).items():
        runtime.background(f"feed-told-{name}", FeedReports(name, clock, worlds, runtime.clock).run)
        if len(clock.feeds) > 1:
            runtime.background(f"feed-lags-{name}", MemberLags(name, clock, metrics).run)
    return made, Filling({**found, **remotes}, backfiller, storage, inventory)


def add_services(
    server: Server,
    inventory: Inventory,
    sessions: ReplaySessions,
    live: LiveSessions,
    roles: WorldRoles,
    fetcher: Fetcher,
    uploads: Uploads,
    storage: Storage,
    filling: Filling,
    recorder: Recorder,
) -> None:
    """Serve everything but the status."""
    server.add(
        datarpc.add_DataServiceServicer_to_server,
        DataServicer(fetcher, Subscriptions(inventory, sessions, live, roles), recorder),
        service_of(dataservicepb),
    )
    server.add(
        coveragerpc.add_CoverageServiceServicer_to_server,
        CoverageServicer(inventory, storage, filling),
        service_of(coverageservicepb),
    )
    server.add(
        cataloguerpc.add_CatalogueServiceServicer_to_server,
        CatalogueServicer(inventory),
        service_of(catalogueservicepb),
    )
    server.add(
        artifactrpc.add_ArtifactServiceServicer_to_server,
        ArtifactServicer(inventory, storage),
        service_of(artifactservicepb),
    )
    server.add(filerpc.add_FileServiceServicer_to_server, FileServicer(inventory, uploads), service_of(fileservicepb))
    server.add(
        datasessionrpc.add_DataSessionServiceServicer_to_server,
        DataSessionServicer(inventory, sessions, live, roles, recorder),
        service_of(datasessionservicepb),
    )


def add_registries(
    server: Server, inventory: Inventory, features: FeaturePlane, roles: WorldRoles, clock: Clock
) -> None:
    """Serve what stands beside bars: their schemas, and features."""
    schemas = SchemaServicer(inventory.schemas, clock)
    server.add(schemarpc.add_SchemaServiceServicer_to_server, schemas, service_of(schemaservicepb))
    servicer = FeatureServicer(features, roles, clock)
    server.add(featurerpc.add_FeatureServiceServicer_to_server, servicer, service_of(featureservicepb))


def add_status(server: Server, servicer: StatusServicer) -> None:
    """Serve the status."""
    server.add(statusrpc.add_StatusServiceServicer_to_server, servicer, service_of(statusservicepb))


async def keep_ingested(inventory: Inventory) -> None:
    """Ingest once; what is sealed stays, so there is nothing to do until the next start."""
    await ingest_all(inventory)
    await asyncio.Event().wait()


async def keep_closing(sessions: ReplaySessions | LiveSessions, draining: asyncio.Event) -> None:
    """Send subscribers away when the server begins to stop; then there is nothing left to do."""
    await sessions.close_when(draining)
    await asyncio.Event().wait()


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
