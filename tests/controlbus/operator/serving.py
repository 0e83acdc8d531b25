"""The operator's services on a loopback port, and stubs of those who call them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from controlbus.__main__ import add_services
from controlbus.bus import Bus
from controlbus.operator.status import StatusService
from controlbus.outbox.status import StatusSources
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.control.v1 import broker_stream_service_pb2_grpc as brokerstreamrpc
from qmtl.control.v1 import dead_letter_service_pb2_grpc as deadletterrpc
from qmtl.control.v1 import event_tail_service_pb2_grpc as eventtailrpc
from qmtl.control.v1 import status_service_pb2_grpc as controlstatusrpc
from qmtl.core.clock import SystemClock
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import connect
from qmtl.rpc.outages import Outages
from qmtl.rpc.server.server import Server
from qmtl.rpc.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class OperatorStubs:
    """One caller of the operator's services."""

    events: eventtailrpc.EventTailServiceAsyncStub
    streams: brokerstreamrpc.BrokerStreamServiceAsyncStub
    letters: deadletterrpc.DeadLetterServiceAsyncStub
    status: controlstatusrpc.StatusServiceAsyncStub


@dataclass
class ServedBus:
    """The services, with the bus they look at."""

    bus: Bus
    server: Server
    home: Path
    stack: AsyncExitStack

    def stubs(self, role: Role = Role.OPERATOR, worlds: Sequence[str] | None = None) -> OperatorStubs:
        """Stubs of a user who comes through the gateway."""
        user = mint_user_token(self.home, role, "alice", worlds)
        service = mint_service_token(self.home, "gateway")
        channel = connect(
            f"127.0.0.1:{self.server.port}",
            service_token=lambda: service,
            user_token=lambda: user,
            default_timeout_s=20,
        )
        self.stack.push_async_callback(channel.close)
        return OperatorStubs(
            eventtailrpc.EventTailServiceStub(channel),
            brokerstreamrpc.BrokerStreamServiceStub(channel),
            deadletterrpc.DeadLetterServiceStub(channel),
            controlstatusrpc.StatusServiceStub(channel),
        )


async def serving(bus: Bus, home: Path, stack: AsyncExitStack) -> ServedBus:
    """Start the services; the stack stops them."""
    settings = ServiceSettings(service="controlbus", mesh=MeshSettings(home=home), bind="127.0.0.1:0")
    clock = SystemClock()
    server = Server(
        settings, service="controlbus", authenticator=Authenticator.from_settings(settings, clock), clock=clock
    )
    sources = StatusSources("controlbus", clock.now(), bus, clock, Outages(clock, Metrics()))
    add_services(server, bus, StatusService(sources), tails_max=2)
    stack.push_async_callback(server.stop, 0.0)
    await server.start()
    return ServedBus(bus, server, home, stack)
