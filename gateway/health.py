"""How the mesh looks from the door: dependencies probed in the background, and what still works."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from grpc import aio
from grpc_health.v1 import health_pb2 as healthpb

from controlbus.bus import Bus
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb

PROBE_TIMEOUT_S = 1.0
CHECK = "/grpc.health.v1.Health/Check"
NEEDED_FOR_RISK = frozenset({"worldservice", "nats"})
AVAILABLE: Mapping[int, tuple[str, ...]] = {
    gatewaypb.DEGRADATION_LEVEL_NORMAL: ("submissions", "reads", "orders", "cancels", "events"),
    gatewaypb.DEGRADATION_LEVEL_PARTIAL: ("submissions are queued", "reads", "orders", "cancels", "events"),
    gatewaypb.DEGRADATION_LEVEL_MINIMAL: ("cached reads", "cancels"),
    gatewaypb.DEGRADATION_LEVEL_STATIC: ("health", "status"),
}


@dataclass(slots=True)
class Probes:
    """Probes each dependency every `probe_s`; reads answer what the last probe saw."""

    channels: Mapping[str, aio.Channel]
    bus: Bus
    clock: Clock
    probe_s: float
    _failures: dict[str, str] = field(default_factory=dict)
    _probed: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Probe for ever."""
        while True:
            await asyncio.gather(*(self._probe(name, channel) for name, channel in self.channels.items()))
            self._note("nats", "" if self.bus.status().connected else "not connected")
            await self.clock.sleep(self.probe_s)

    def dependencies(self) -> list[commonpb.DependencyStatus]:
        """Every dependency as last seen."""
        return [self._status(name) for name in sorted({*self.channels, "nats"})]

    def level(self) -> gatewaypb.DegradationLevel:
        """How much still works; what was never probed counts as away."""
        away = {name for name in (*self.channels, "nats") if name not in self._probed or name in self._failures}
        if away & NEEDED_FOR_RISK:
            return gatewaypb.DEGRADATION_LEVEL_MINIMAL
        return gatewaypb.DEGRADATION_LEVEL_PARTIAL if away else gatewaypb.DEGRADATION_LEVEL_NORMAL

    async def _probe(self, name: str, channel: aio.Channel) -> None:
        check = channel.unary_unary(
            CHECK, healthpb.HealthCheckRequest.SerializeToString, healthpb.HealthCheckResponse.FromString
        )
        try:
            answer = await check(healthpb.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
        except QmtlError as error:
            self._note(name, error.message)
            return
        serving = answer.status == healthpb.HealthCheckResponse.SERVING
        self._note(name, "" if serving else "not serving")

    def _note(self, name: str, failure: str) -> None:
        self._probed.add(name)
        if failure:
            self._failures[name] = failure
        else:
            self._failures.pop(name, None)

    def _status(self, name: str) -> commonpb.DependencyStatus:
        failure = self._failures.get(name, "" if name in self._probed else "not probed yet")
        return commonpb.DependencyStatus(
            name=name,
            state=commonpb.DEPENDENCY_STATE_UNREACHABLE if failure else commonpb.DEPENDENCY_STATE_REACHABLE,
            detail=failure,
            breaker=commonpb.BREAKER_STATE_OPEN if failure else commonpb.BREAKER_STATE_CLOSED,
        )
