"""Composition root of the operator service: `python -m controlbus`."""

from __future__ import annotations

from controlbus.bus import Bus
from controlbus.config import Settings
from controlbus.operator.service import PLANNED, ControlBus
from qmtl.control.v1 import service_pb2 as servicepb
from qmtl.control.v1 import service_pb2_grpc as controlrpc
from qmtl.rpc.run import Runtime, start

SERVICE = "controlbus"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Connect, serve until told to stop, disconnect."""
    mesh = settings.mesh
    bus = await Bus.connect(
        mesh.nats_url,
        service=SERVICE,
        credentials=mesh.nats_credentials,
        replicas=mesh.stream_replicas,
        clock=runtime.clock,
        registry=runtime.metrics.registry,
    )
    try:
        server = runtime.server()
        contract = servicepb.DESCRIPTOR.services_by_name["ControlBusService"]
        servicer = ControlBus(bus, runtime.clock, server.draining, settings.tails_max)
        server.add(controlrpc.add_ControlBusServiceServicer_to_server, servicer, contract, PLANNED)
        await runtime.serve(server)
    finally:
        await bus.close()


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
