"""How the mesh looks from the door: dependencies probed in the background, and what still works."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from grpc_health.v1 import health_pb2 as healthpb

from controlbus.bus import Bus
from gateway.admission.load import Load
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.rpc.client.breaker import BreakerState
from qmtl.rpc.client.channel import MeshChannel
from qmtl.sql.database import Database

PROBE_TIMEOUT_S = 1.0
STORE_TIMEOUT_S = 5.0
CHECK = "/grpc.health.v1.Health/Check"
AGAIN_S = 0.5  # what is away is probed more often, so that recovery is quick
NEEDED_FOR_RISK = frozenset({"worldservice", "nats"})
BREAKERS: Mapping[BreakerState, commonpb.BreakerState] = {
    BreakerState.CLOSED: commonpb.BREAKER_STATE_CLOSED,
    BreakerState.OPEN: commonpb.BREAKER_STATE_OPEN,
    BreakerState.HALF_OPEN: commonpb.BREAKER_STATE_HALF_OPEN,
}


@dataclass(slots=True)
class Probes:
    """Probes each dependency every `probe_s`; reads answer what the last probe saw."""

    channels: Mapping[str, MeshChannel]
    bus: Bus
    db: Database
    clock: Clock
    probe_s: float
    load: Load
    _failures: dict[str, str] = field(default_factory=dict)
    _probed: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Probe for ever."""
        while True:
            probes = [self._probe(name, channel) for name, channel in self.channels.items()]
            await asyncio.gather(self._probe_store(), *probes)
            self.load.look()
            await self.clock.sleep(min(AGAIN_S, self.probe_s) if self._failures else self.probe_s)

    def dependencies(self) -> list[commonpb.DependencyStatus]:
        """Every dependency as last seen."""
        return [self._status(name) for name in sorted({*self.channels, "nats", "store"})]

    def level(self) -> gatewaystatuspb.DegradationLevel:
        """How much still works; what was never probed counts as away."""
        if "store" in self._failures:
            return gatewaystatuspb.DEGRADATION_LEVEL_STATIC
        away = {name for name in (*self.channels, "nats") if self._failure(name)}
        if away & NEEDED_FOR_RISK or self.load.too_much:
            return gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL
        slow = self.load.p99_s > self.load.p99_max_s
        return gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL if away or slow else gatewaystatuspb.DEGRADATION_LEVEL_NORMAL

    def takes_new_risk(self) -> bool:
        """Whether orders may add risk at this level."""
        return self.level() < gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL

    async def _probe_store(self) -> None:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self.db.read(lambda conn: conn.execute(sa.select(1)).scalar_one())
        except (QmtlError, TimeoutError) as error:
            self._note("store", str(error) or "does not answer")
        else:
            self._note("store", "")

    async def _probe(self, name: str, channel: MeshChannel) -> None:
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

    def _failure(self, name: str) -> str:
        """Why a dependency cannot be used, empty when it can."""
        if name == "nats":
            status = self.bus.status()
            return "" if status.connected else status.detail or "not connected"
        return self._failures.get(name, "" if name in self._probed else "not probed yet")

    def _status(self, name: str) -> commonpb.DependencyStatus:
        failure = self._failure(name)
        breaker = self.channels[name].breaker if name in self.channels else None
        return commonpb.DependencyStatus(
            name=name,
            state=commonpb.DEPENDENCY_STATE_UNREACHABLE if failure else commonpb.DEPENDENCY_STATE_REACHABLE,
            detail=failure,
            breaker=BREAKERS[breaker.state] if breaker is not None else commonpb.BREAKER_STATE_UNSPECIFIED,
        )
