"""A seamless on a loopback port with the sample ingested, and a client with the tokens a service has."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
from prometheus_client import CollectorRegistry

from controlbus.bus import connected
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import feature_service_pb2_grpc as featurerpc
from qmtl.data.v1 import file_service_pb2_grpc as filerpc
from qmtl.data.v1 import schema_service_pb2_grpc as schemarpc
from qmtl.data.v1 import status_service_pb2_grpc as datastatusrpc
from qmtl.rpc.auth.call import require_user
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.outages import Outages
from qmtl.rpc.server.server import Server
from qmtl.rpc.telemetry.metrics import Metrics
from qmtl.sql.database import Database
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from seamless.__main__ import add_registries, add_services, add_status
from seamless.artifacts.archive import Archive
from seamless.artifacts.ingest import ingest_all
from seamless.artifacts.inventory import Inventory
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.filling import Filling
from seamless.backfill.flights import Flights
from seamless.config import FileFeed, RemoteSettings, Settings, UniverseSettings
from seamless.features.files import FeatureFiles
from seamless.features.plane import FeaturePlane
from seamless.fetch.fetcher import Fetcher
from seamless.fetch.filler import Filler
from seamless.live.sessions import LiveSessions
from seamless.metrics import SeamlessMetrics
from seamless.presets.builtin import presets_of
from seamless.recordings.recorder import Recorder
from seamless.remotes.learning import Learning
from seamless.remotes.source import remote_sources
from seamless.replay.sessions import ReplaySessions
from seamless.status import StatusServicer
from seamless.storage.storage import Storage
from seamless.uploads.uploads import Uploads
from tests.rpc.certificates import Authority
from tests.support.shared.stores import lay_store

ROLE_TTL_S = 10


class World(accessrpc.AccessServiceServicer):
    """worldservice as far as it is asked here: roles by world and subject, and how often it was asked."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, Role]] = {}
        self.asked = 0

    async def GetEffectiveRole(
        self, request: accessservicepb.GetEffectiveRoleRequest, context: object
    ) -> accessservicepb.GetEffectiveRoleResponse:
        self.asked += 1
        if request.world_id not in self.roles:
            raise NotFound("E_WORLD_UNKNOWN", request.world_id)
        identity = require_user()
        role = max(identity.role, self.roles[request.world_id].get(identity.subject, Role.NONE))
        answer = accessservicepb.GetEffectiveRoleResponse(role=commonpb.Role.Name(int(role)))
        answer.ttl.seconds = ROLE_TTL_S
        return answer


@asynccontextmanager
async def worldservice(home: Path, world: World) -> AsyncIterator[Server]:
    """A server with the real doorkeeper before these roles."""
    settings = ServiceSettings(service="worldservice", mesh=MeshSettings(home=home), bind="127.0.0.1:0")
    clock = SystemClock()
    authenticator = Authenticator.from_settings(settings, clock)
    server = Server(settings, service="worldservice", authenticator=authenticator, clock=clock)
    descriptor = accessservicepb.DESCRIPTOR.services_by_name["AccessService"]
    server.add(accessrpc.add_AccessServiceServicer_to_server, world, descriptor)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


class SkippingClock(SystemClock):
    """The machine's clocks, plus what the test lets pass."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed_s


@dataclass(frozen=True)
class Stubs:
    """All services of seamless on one channel."""

    data: datarpc.DataServiceAsyncStub
    coverage: coveragerpc.CoverageServiceAsyncStub
    catalogue: cataloguerpc.CatalogueServiceAsyncStub
    artifacts: artifactrpc.ArtifactServiceAsyncStub
    sessions: datasessionrpc.DataSessionServiceAsyncStub
    status: datastatusrpc.StatusServiceAsyncStub
    files: filerpc.FileServiceAsyncStub
    schemas: schemarpc.SchemaServiceAsyncStub
    features: featurerpc.FeatureServiceAsyncStub


def stubs_of(channel: MeshChannel) -> Stubs:
    return Stubs(
        datarpc.DataServiceStub(channel),
        coveragerpc.CoverageServiceStub(channel),
        cataloguerpc.CatalogueServiceStub(channel),
        artifactrpc.ArtifactServiceStub(channel),
        datasessionrpc.DataSessionServiceStub(channel),
        datastatusrpc.StatusServiceStub(channel),
        filerpc.FileServiceStub(channel),
        schemarpc.SchemaServiceStub(channel),
        featurerpc.FeatureServiceStub(channel),
    )


@dataclass
class Seamless:
    """A running server: its parts that tests drive, and a stub for a role."""

    home: Path
    server: Server
    inventory: Inventory
    stack: AsyncExitStack
    world: World
    world_server: Server
    clock: SkippingClock  # of the access checks only
    storage: Storage
    learning: Learning | None = None  # of what other services have
    ca: Authority | None = None

    async def stubs(
        self, role: Role = Role.OPERATOR, worlds: Sequence[str] | None = None, subject: str = "alice"
    ) -> Stubs:
        user = mint_user_token(self.home, role, subject, worlds)
        peer = mint_service_token(self.home, "gateway")
        ca, pair = (None, None) if self.ca is None else (self.ca.file, self.ca.issue("gateway"))
        channel = connect(
            f"127.0.0.1:{self.server.port}",
            user_token=lambda: user,
            service_token=lambda: peer,
            ca=ca,
            client_pair=pair,
        )
        return stubs_of(await self.stack.enter_async_context(channel))


@asynccontextmanager
async def running(
    home: Path,
    *,
    ingest: bool = True,
    files: Mapping[str, FileFeed] = {},
    universes: Mapping[str, Sequence[str]] = {},
    tables: Mapping[str, Path] = {},
    uploads_max: int = 256,
    own_uploads_max: int = 64,
    world_features_max: int = 64,
    remotes: Mapping[str, RemoteSettings] = {},
    nats_url: str = "",
    ca: Authority | None = None,
) -> AsyncIterator[Seamless]:
    """A server that stops at the end; without `ingest` its datasets stay as they are stored. With a CA it speaks TLS
    and asks for certificates.
    """
    ensure_dev_keys(home)
    settings = settings_of(
        home,
        ca,
        files=files,
        universes={of: UniverseSettings(presets=tuple(p), members=tables.get(of)) for of, p in universes.items()},
        uploads_max=uploads_max,
        remotes=remotes,
    )
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        db = await store_of(settings, stack)
        metrics = SeamlessMetrics(CollectorRegistry())
        inventory = Inventory(presets_of(settings), db, Archive(settings.data_path), metrics)
        storage = Storage(settings.data_path / "stored", db)
        uploads = Uploads(inventory, db, settings.data_path / "uploads", uploads_max, own_uploads_max)
        await uploads.load()
        await inventory.load()
        if ingest:
            await ingest_all(inventory, lambda preset: not preset.name.endswith(".1d"))
        sessions = ReplaySessions(inventory, db, clock, settings, metrics)
        world, access_clock = World(), SkippingClock()  # type: ignore[abstract] # nothing else is asked of it
        world_server = await stack.enter_async_context(worldservice(home, world))
        roles = await roles_of(home, world_server, access_clock, stack)
        authenticator = Authenticator.from_settings(settings, clock)
        server = Server(settings, service="seamless", authenticator=authenticator, clock=clock)
        live = LiveSessions({}, inventory, db, clock)
        filling, learning = await fetching(settings, inventory, storage, db, nats_url, metrics, stack)
        filler, budget_s = Filler(filling), settings.storage_budget_s
        fetcher = Fetcher(inventory, storage, sessions, live, filler, clock, budget_s, metrics)
        add_services(
            server, inventory, sessions, live, roles, fetcher, uploads, storage, filling, Recorder(inventory, db)
        )
        features = FeaturePlane(inventory, db, FeatureFiles(settings.data_path / "features"), world_features_max)
        add_registries(server, inventory, features, roles, clock)
        add_status(server, StatusServicer(inventory, clock.now(), Outages(clock, Metrics())))
        tasks = [asyncio.create_task(sessions.run()), asyncio.create_task(sessions.close_when(server.draining))]
        stack.push_async_callback(_end, tasks)
        stack.push_async_callback(server.stop, 0.5)
        await server.start()
        yield Seamless(home, server, inventory, stack, world, world_server, access_clock, storage, learning, ca)


def settings_of(home: Path, ca: Authority | None, **given: Any) -> Settings:
    """Settings on loopback, with a certificate where there is a CA."""
    cert, key = (None, None) if ca is None else ca.issue("seamless")
    trust = None if ca is None else ca.file
    return Settings(
        mesh=MeshSettings(home=home), bind="127.0.0.1:0", tls_cert=cert, tls_key=key, tls_client_ca=trust, **given
    )


async def store_of(settings: Settings, stack: AsyncExitStack) -> Database:
    """The catalogue, with its tables."""
    lay_store(settings.database_url, "seamless")
    db = Database(settings.database_url, synchronous="NORMAL")
    stack.push_async_callback(db.close)
    await db.migrate("seamless:migrations")
    return db


async def roles_of(home: Path, world_server: Server, clock: SkippingClock, stack: AsyncExitStack) -> WorldRoles:
    """Roles as seamless asks worldservice for them."""
    own = mint_service_token(home, "seamless")
    channel = connect(f"127.0.0.1:{world_server.port}", service_token=lambda: own)
    stub = accessrpc.AccessServiceStub(await stack.enter_async_context(channel))
    return WorldRoles(stub.GetEffectiveRole, accessservicepb.GetEffectiveRoleRequest, clock)


async def fetching(
    settings: Settings,
    inventory: Inventory,
    storage: Storage,
    db: Database,
    nats_url: str,
    metrics: SeamlessMetrics,
    stack: AsyncExitStack,
) -> tuple[Filling, Learning | None]:
    """What fills datasets of other services, and what learns of those."""
    if not settings.remotes:
        return Filling({}, None, storage, inventory), None
    bus = await stack.enter_async_context(connected(nats_url, service="seamless"))
    remotes = await stack.enter_async_context(remote_sources(settings, inventory))
    learning = Learning(inventory, db, remotes, Outages(SystemClock(), Metrics()).note)
    await learning.load()
    backfiller = Backfiller(storage, Flights(bus, SystemClock(), lease_s=2), SystemClock(), metrics, Random(1))
    return Filling(remotes, backfiller, storage, inventory), learning


async def fetch_all(
    stub: datarpc.DataServiceAsyncStub, request: dataservicepb.FetchRequest
) -> tuple[pl.DataFrame | None, dataservicepb.FetchMetadata]:
    """Every row and the trailer; the trailer must be the last message."""
    parts = [part async for part in stub.Fetch(request)]
    assert [part.WhichOneof("part") for part in parts] == ["arrow_ipc"] * (len(parts) - 1) + ["metadata"]
    frames = [pl.read_ipc_stream(io.BytesIO(part.arrow_ipc)) for part in parts[:-1]]
    return (pl.concat(frames) if frames else None), parts[-1].metadata


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
