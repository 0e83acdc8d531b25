"""How the mesh looks from the door: dependencies probed in the background, and what still works.

A peer is asked twice: whether it serves, and whether anything is away in it; a store, disk, broker or background task
that is away in the gateway itself counts as in any service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from grpc_health.v1 import health_pb2 as healthpb

from controlbus.bus import Bus
from controlbus.outbox.status import outage_statuses, store_status
from gateway.admission.load import Load
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.rpc.client.breaker import BreakerState
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.credentials import CREDENTIALS
from qmtl.rpc.outages import Outages
from qmtl.rpc.server.health import OUTAGES
from qmtl.sql.database import STORE

PROBE_TIMEOUT_S = 1.0
CHECK = "/grpc.health.v1.Health/Check"
AGAIN_S = 0.5  # what is away is probed more often, so that recovery is quick
NEEDED_FOR_RISK = frozenset({"worldservice", "nats", CREDENTIALS})
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
    outages: Outages
    clock: Clock
    probe_s: float
    load: Load
    credentials_end: Callable[[], str]  # which of our own credentials end soon
    _failures: dict[str, str] = field(default_factory=dict)
    _troubled: set[str] = field(default_factory=set)  # peers that serve and are not well
    _probed: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Probe for ever."""
        while True:
            probes = [self._probe(name, channel) for name, channel in self.channels.items()]
            await asyncio.gather(*probes)
            self.load.look()
            unwell = self._failures or self._troubled
            await self.clock.sleep(min(AGAIN_S, self.probe_s) if unwell else self.probe_s)

    def dependencies(self, *, store_answers: bool = True) -> list[commonpb.DependencyStatus]:
        """Every dependency as last seen. `store_answers`: of a caller that has just asked it."""
        known = [self._status(name) for name in sorted({*self.channels, "nats"})]
        known += store_status(self.outages.current(), answers=store_answers)
        if STORE not in self.outages.current() and store_answers:
            known.append(commonpb.DependencyStatus(name=STORE, state=commonpb.DEPENDENCY_STATE_REACHABLE))
        if CREDENTIALS not in self.outages.current():
            ends = self.credentials_end()
            state = commonpb.DEPENDENCY_STATE_REACHABLE
            known.append(commonpb.DependencyStatus(name=CREDENTIALS, state=state, detail=ends))
        return known + outage_statuses(self.outages.current())

    def level(self) -> gatewaystatuspb.DegradationLevel:
        """How much still works; what was never probed counts as away."""
        own = self.outages.current()
        if any(outage.vital for outage in own.values()):
            return gatewaystatuspb.DEGRADATION_LEVEL_STATIC
        away = {name for name in (*self.channels, "nats") if self._failure(name)} | ({CREDENTIALS} & own.keys())
        if away & NEEDED_FOR_RISK or self.load.too_much:
            return gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL
        slow = self.load.p99_s > self.load.p99_max_s
        unwell = away or slow or own or self._troubled
        return gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL if unwell else gatewaystatuspb.DEGRADATION_LEVEL_NORMAL

    def takes_new_risk(self) -> bool:
        """Whether orders may add risk at this level."""
        return self.level() < gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL

    async def _probe(self, name: str, channel: MeshChannel) -> None:
        check = channel.unary_unary(
            CHECK, healthpb.HealthCheckRequest.SerializeToString, healthpb.HealthCheckResponse.FromString
        )
        try:
            well = await check(healthpb.HealthCheckRequest(service=OUTAGES), timeout=PROBE_TIMEOUT_S)
            if well.status == healthpb.HealthCheckResponse.SERVING:
                serving = True
            else:
                whole = await check(healthpb.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
                serving = whole.status == healthpb.HealthCheckResponse.SERVING
        except QmtlError as error:
            self._note(name, error.message)
            return
        self._note(name, "" if serving else "not serving: its status says what is away")
        if serving and well.status != healthpb.HealthCheckResponse.SERVING:
            self._troubled.add(name)
        else:
            self._troubled.discard(name)

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
        state = commonpb.DEPENDENCY_STATE_UNREACHABLE if failure else commonpb.DEPENDENCY_STATE_REACHABLE
        if not failure and name in self._troubled:
            state, failure = commonpb.DEPENDENCY_STATE_DEGRADED, "something is away in it: its status says what"
        return commonpb.DependencyStatus(
            name=name,
            state=state,
            detail=failure,
            breaker=BREAKERS[breaker.state] if breaker is not None else commonpb.BREAKER_STATE_UNSPECIFIED,
        )
