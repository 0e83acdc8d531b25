"""The standard health service, one status per service on the server and one for the whole.

While something vital is away (its store) all are NOT_SERVING. `qmtl.outages` is SERVING only while the server is and
nothing is away at all: a peer asks for it to know that a service which answers is not well; GetStatus says why.

`Watch` ends when the server drains, so that a watcher cannot hold up a graceful stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from grpc import aio
from grpc_health.v1 import health_pb2 as healthpb
from grpc_health.v1 import health_pb2_grpc as healthrpc

from qmtl.core.errors import NotFound
from qmtl.rpc.outages import Outages

SERVING = healthpb.HealthCheckResponse.SERVING
NOT_SERVING = healthpb.HealthCheckResponse.NOT_SERVING
OUTAGES = "qmtl.outages"
LOOK_S = 1.0  # outages tell nobody, watchers look
SERVICE_UNKNOWN = healthpb.HealthCheckResponse.SERVICE_UNKNOWN

Context = aio.ServicerContext[healthpb.HealthCheckRequest, healthpb.HealthCheckResponse]


class Health(healthrpc.HealthServicer):
    """Statuses by service name; the empty name is the server."""

    def __init__(self, services: Iterable[str], outages: Outages | None = None) -> None:
        self._outages = outages
        self._statuses: dict[str, int] = dict.fromkeys(["", *services], NOT_SERVING)
        self._draining = False
        self._changed = asyncio.Condition()

    async def set_all(self, serving: bool) -> None:
        """Say the same of every service."""
        async with self._changed:
            self._statuses = dict.fromkeys(self._statuses, SERVING if serving else NOT_SERVING)
            self._changed.notify_all()

    async def drain(self) -> None:
        """NOT_SERVING from now on, and every watcher is let go."""
        self._draining = True
        await self.set_all(False)

    async def Check(self, request: healthpb.HealthCheckRequest, context: Context) -> healthpb.HealthCheckResponse:
        status = self._status(request.service)
        if status is None:
            raise NotFound("E_SERVICE_UNKNOWN", f"no service {request.service!r} here")
        return healthpb.HealthCheckResponse(status=status)

    async def Watch(
        self, request: healthpb.HealthCheckRequest, context: Context
    ) -> AsyncIterator[healthpb.HealthCheckResponse]:
        last: int | None = None
        while True:
            status = self._status(request.service)
            status = SERVICE_UNKNOWN if status is None else status
            if status != last:
                last = status
                yield healthpb.HealthCheckResponse(status=status)
            elif self._draining:
                return
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S), self._changed:
                        await self._changed.wait()

    def _status(self, service: str) -> int | None:
        found = self._outages.current().values() if self._outages is not None else ()
        if service == OUTAGES:
            return NOT_SERVING if found or self._draining else self._statuses[""]
        status = self._statuses.get(service)
        return NOT_SERVING if status == SERVING and any(outage.vital for outage in found) else status
