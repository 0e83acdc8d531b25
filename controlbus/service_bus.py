"""The bus of a service's process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controlbus.bus import Bus
from qmtl.rpc.run import Runtime


@asynccontextmanager
async def service_bus(runtime: Runtime) -> AsyncIterator[Bus]:
    """The bus as the service's settings say, counted in its metrics; closed at the end. It waits for no broker."""
    mesh = runtime.settings.mesh
    bus = await Bus.connect(
        mesh.nats_url,
        service=runtime.service,
        credentials=mesh.nats_credentials,
        ca=mesh.nats_ca,
        replicas=mesh.stream_replicas,
        stream_bytes_max=mesh.stream_bytes_max,
        clock=runtime.clock,
        registry=runtime.metrics.registry,
    )
    try:
        yield bus
    finally:
        await bus.close()
