"""Start a gRPC server the way every service of the mesh is started.

Health per service, reflection, the interceptors, bounds on everything, TLS from settings, and a
graceful stop: NOT_SERVING first, own streams told to go away, then the grace period.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio
from grpc_health.v1 import health_pb2_grpc as healthrpc

from qmtl.config.settings import ServiceSettings
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, Unavailable
from qmtl.rpc import tls
from qmtl.rpc.auth.identity import Identity
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.outages import Outages
from qmtl.rpc.rules.grants import EDGE
from qmtl.rpc.rules.methods import STANDARD_RULES, MethodRule, by_name, rules_of
from qmtl.rpc.server.handlers import Handlers
from qmtl.rpc.server.health import Health
from qmtl.rpc.server.inbound import Limits, configured
from qmtl.rpc.server.interceptor import Admit, MeshInterceptor
from qmtl.rpc.server.reflection import add_reflection
from qmtl.rpc.telemetry import traces
from qmtl.rpc.telemetry.metrics import Metrics

HEALTH_SERVICE: Final = "grpc.health.v1.Health"
PENDING_MAX: Final = 4096
KEEPALIVE_MIN_MS: Final = 20_000
log: Final = structlog.stdlib.get_logger("qmtl.rpc.server")


class Server:
    """One listening port with the services added to it. Compose with `add`, then `start`; always `stop`."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        service: str,
        authenticator: Authenticator,
        clock: Clock,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        admit: Admit | None = None,
        outages: Outages | None = None,
    ) -> None:
        self._settings = settings
        self._service = service
        self._authenticator = authenticator
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._limits = configured(limits or Limits(), settings)
        self._admit = admit
        self._outages = outages
        self._rules: dict[str, MethodRule] = dict(STANDARD_RULES)
        self._services: list[str] = []
        self._identities: dict[str, Callable[[str], Identity]] = {}
        self._handlers = Handlers()
        self._grpc: aio.Server | None = None
        self._health: Health | None = None
        self._wanted_serving = True
        self._background: set[asyncio.Task[None]] = set()
        self.port = 0
        self.draining = asyncio.Event()

    def add(
        self,
        add_fn: Callable[[Any, Any], None],
        servicer: object,
        descriptor: ServiceDescriptor,
        planned: Mapping[str, str] | None = None,
        identities: Mapping[str, Callable[[str], Identity]] | None = None,
    ) -> None:
        """Serve a contract: the generated `add_XServicer_to_server`, the servicer, the contract's descriptor.

        `planned` maps an RPC that is not built yet to the part that will build it: it answers UNIMPLEMENTED.
        `identities` maps an RPC whose `authorization` is a token of its own kind to what verifies it.
        Raises InvalidRequest (E_AUDIENCE_MISSING, E_PLANNED_UNKNOWN, E_SERVICE_TWICE).
        """
        self._register(descriptor, planned or {})
        for name, identify in (identities or {}).items():
            self._identities[f"/{descriptor.full_name}/{name}"] = identify
        add_fn(servicer, self._handlers)

    def add_generic(
        self, handler: grpc.GenericRpcHandler, descriptors: Sequence[ServiceDescriptor], planned: Mapping[str, str] = {}
    ) -> None:
        """Serve contracts through a handler that takes bytes, as the gateway's proxy does.

        The descriptors tell audience and reflection; an RPC outside them answers UNIMPLEMENTED.
        """
        for descriptor in descriptors:
            names = set(descriptor.methods_by_name)
            self._register(descriptor, {name: part for name, part in planned.items() if name in names})
        self._handlers.add_generic_rpc_handlers((handler,))

    @property
    def has_reflection(self) -> bool:
        """Everywhere but at the gateway in profile prod."""
        return self._settings.mesh.profile == "dev" or self._service != EDGE

    async def start(self) -> int:
        """Bind and serve; the bound port. Raises InvalidRequest (E_CONFIG), Unavailable (E_BIND)."""
        self._health = Health(self._services, self._outages)
        healthrpc.add_HealthServicer_to_server(self._health, self._handlers)  # type: ignore[arg-type]  # all it adds to
        if self.has_reflection:
            add_reflection([*self._services, HEALTH_SERVICE], self._handlers)
        server = aio.server(
            handlers=[self._handlers],
            interceptors=[*traces.server_interceptors(), self._interceptor()],
            options=_options(self._limits),
            maximum_concurrent_rpcs=4 * (self._limits.calls_max + self._limits.streams_max),
        )
        self.port = self._bind(server)
        await server.start()
        self._grpc = server
        await self._health.set_all(self._wanted_serving)
        log.info("listening", service=self._service, port=self.port, services=self._services)
        return self.port

    def set_serving(self, serving: bool, detail: str = "") -> None:
        """Change what health answers, for all services here; before `start` it sets the first answer."""
        self._wanted_serving = serving
        if self._health is None or self.draining.is_set():
            return
        log.info("serving" if serving else "not_serving", service=self._service, detail=detail)
        task = asyncio.get_running_loop().create_task(self._health.set_all(serving))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def stop(self, grace_s: float = 5.0) -> None:
        """NOT_SERVING, `draining` set for the services' own streams, then at most `grace_s` for calls under way."""
        self.draining.set()
        if self._health is not None:
            await self._health.drain()
        if self._grpc is not None:
            await self._grpc.stop(grace_s)
            await self._grpc.wait_for_termination()

    async def wait_terminated(self) -> None:
        """Return once the server has stopped."""
        if self._grpc is not None:
            await self._grpc.wait_for_termination()

    def _register(self, descriptor: ServiceDescriptor, planned: Mapping[str, str]) -> None:
        if descriptor.full_name in self._services:
            raise InvalidRequest("E_SERVICE_TWICE", f"{descriptor.full_name} was added twice")
        self._rules.update(by_name(rules_of(descriptor, planned)))
        self._services.append(descriptor.full_name)

    def _interceptor(self) -> MeshInterceptor:
        return MeshInterceptor(
            service=self._service,
            rules=self._rules,
            authenticator=self._authenticator,
            metrics=self._metrics,
            limits=self._limits,
            admit=self._admit,
            identities=self._identities,
        )

    def _bind(self, server: aio.Server) -> int:
        address = self._settings.bind
        credentials = tls.server_credentials(self._settings, self._service)
        try:
            if credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise Unavailable("E_BIND", f"{self._service}.bind is {address}: {error}") from None


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        # Past about a thousand calls not yet accepted, core cancels some at random; these make it a bound.
        ("grpc.server.max_pending_requests", PENDING_MAX),
        ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING_MAX),
        ("grpc.max_receive_message_length", limits.request_bytes_max),
        # Of one connection; the gateway's to a service carries every user's.
        ("grpc.max_concurrent_streams", limits.calls_max + limits.streams_max + limits.reserve_max),
        ("grpc.max_send_message_length", limits.reply_bytes_max),
        # Between its soft limit and its hard one core refuses at random; one limit, above all our own keys need.
        ("grpc.max_metadata_size", limits.metadata_bytes_max),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes_max),
        ("grpc.so_reuseport", 0),
        # Clients ping every 30 s, see channel.py; a minimum above that would end their connections.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MIN_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MIN_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", round(limits.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(limits.keepalive_timeout_s * 1000)),
        # Core waits for every ping's answer by this one, a minute by default, whatever the line above says.
        ("grpc.http2.ping_timeout_ms", round(limits.keepalive_timeout_s * 1000)),
        # Else a slow reader lets the server run megabytes ahead of it.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 65_536),
    ]
