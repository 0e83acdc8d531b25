"""Composition root of the operator service: `python -m controlbus`."""

from __future__ import annotations

from controlbus.bus import Bus
from controlbus.config import Settings
from controlbus.operator.broker_streams import BrokerStreamService
from controlbus.operator.dead_letter_box import DeadLetterService
from controlbus.operator.event_tail import EventTailService
from controlbus.operator.status import StatusService
from controlbus.outbox.status import StatusSources
from controlbus.service_bus import service_bus
from qmtl.control.v1 import broker_stream_service_pb2 as brokerstreamservicepb
from qmtl.control.v1 import broker_stream_service_pb2_grpc as brokerstreamrpc
from qmtl.control.v1 import dead_letter_service_pb2 as deadletterservicepb
from qmtl.control.v1 import dead_letter_service_pb2_grpc as deadletterrpc
from qmtl.control.v1 import event_tail_service_pb2 as eventtailservicepb
from qmtl.control.v1 import event_tail_service_pb2_grpc as eventtailrpc
from qmtl.control.v1 import status_service_pb2 as controlstatusservicepb
from qmtl.control.v1 import status_service_pb2_grpc as controlstatusrpc
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.run import Runtime, start
from qmtl.rpc.server.server import Server

SERVICE = "controlbus"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Connect, serve until told to stop, disconnect."""
    async with service_bus(runtime) as bus:
        server = runtime.server()
        clock = runtime.clock
        status = StatusService(StatusSources(SERVICE, clock.now(), bus, clock, runtime.outages))
        add_services(server, bus, status, settings.tails_max)
        await runtime.serve(server)


def add_services(server: Server, bus: Bus, status: StatusService, tails_max: int) -> None:
    """Serve every contract of the operator."""
    for add, servicer, contract in (
        (
            eventtailrpc.add_EventTailServiceServicer_to_server,
            EventTailService(bus, server.draining, tails_max),
            eventtailservicepb,
        ),
        (
            brokerstreamrpc.add_BrokerStreamServiceServicer_to_server,
            BrokerStreamService(bus),
            brokerstreamservicepb,
        ),
        (deadletterrpc.add_DeadLetterServiceServicer_to_server, DeadLetterService(bus), deadletterservicepb),
        (
            controlstatusrpc.add_StatusServiceServicer_to_server,
            status,
            controlstatusservicepb,
        ),
    ):
        server.add(add, servicer, service_of(contract))


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
