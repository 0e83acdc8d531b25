"""What Prometheus sees of a gateway beside its calls: level, dependencies, breakers, gate sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.admission.probes import Probes
from gateway.orders.activations import HeldActivations
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb

LEVELS = tuple(name for name, _ in gatewaystatuspb.DegradationLevel.items() if not name.endswith("UNSPECIFIED"))
BREAKERS = tuple(name for name, _ in commonpb.BreakerState.items() if not name.endswith("UNSPECIFIED"))


@dataclass(frozen=True, slots=True, eq=False)
class GatewayCollector(Collector):
    """Reads the state when it is asked: nothing can be forgotten to be set."""

    probes: Probes
    activations: HeldActivations

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Each as a state set: 1 for the present state, 0 for the others."""
        level = GaugeMetricFamily("qmtl_gateway_level", "Degradation level now.", labels=["level"])
        now = gatewaystatuspb.DegradationLevel.Name(self.probes.level())
        for name in LEVELS:
            level.add_metric([name.removeprefix("DEGRADATION_LEVEL_")], float(name == now))
        yield level
        up = GaugeMetricFamily("qmtl_dependency_up", "Whether a dependency can be used.", labels=["dependency"])
        breakers = GaugeMetricFamily("qmtl_breaker_state", "State of a peer's breaker.", labels=["peer", "state"])
        for one in self.probes.dependencies():
            up.add_metric([one.name], float(one.state == commonpb.DEPENDENCY_STATE_REACHABLE))
            if one.breaker:
                for name in BREAKERS:
                    is_now = float(commonpb.BreakerState.Name(one.breaker) == name)
                    breakers.add_metric([one.name, name.removeprefix("BREAKER_STATE_")], is_now)
        yield up
        yield breakers
        valid = float(self.activations.session_valid)
        yield GaugeMetricFamily("qmtl_gate_session_valid", "Whether order gates may let new risk pass.", value=valid)
        held = float(len(self.activations.status()))
        yield GaugeMetricFamily("qmtl_gates_held", "Worlds whose activation this gateway holds.", value=held)
