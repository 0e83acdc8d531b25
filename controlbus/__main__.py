"""Composition root of the operator service: `python -m controlbus`."""

from __future__ import annotations

import sys
from pathlib import Path

from controlbus.bus import Bus
from controlbus.config import Settings
from controlbus.service import PLANNED, ControlBus
from qmtl.control.v1 import service_pb2 as servicepb
from qmtl.control.v1 import service_pb2_grpc as controlrpc
from qmtl.core.settings import load
from qmtl.rpc.run import Runtime, run_service

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
    config = Path(sys.argv[sys.argv.index("--config") + 1]) if "--config" in sys.argv else None
    settings = load(SERVICE, Settings, config)
    run_service(lambda runtime: compose(runtime, settings), settings, SERVICE)


if __name__ == "__main__":
    main()
