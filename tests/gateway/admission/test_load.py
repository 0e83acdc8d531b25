"""Load: when slow calls lower the level, and which calls its percentile counts."""

from __future__ import annotations

import pytest

from controlbus.bus import connected
from gateway.admission.load import Load
from gateway.admission.probes import Probes
from qmtl.core.clock import SystemClock
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.rpc.outages import Outages
from qmtl.rpc.telemetry.metrics import Metrics, RecentCalls


@pytest.mark.parametrize(
    ("p99_max_s", "level"),
    [(1.0, gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL), (9.0, gatewaystatuspb.DEGRADATION_LEVEL_NORMAL)],
)
async def test_slow_calls_make_it_partial(
    nats_url: str, p99_max_s: float, level: gatewaystatuspb.DegradationLevel
) -> None:
    recent = RecentCalls()
    for _ in range(60):
        recent.add("m", 5.0)
    load = Load(share_max=100.0, sustained_s=0.0, p99_max_s=p99_max_s, recent=recent)
    async with connected(nats_url, service="t") as bus:
        load.look()
        assert load.p99_s == 5.0
        outages = Outages(SystemClock(), Metrics())
        assert Probes({}, bus, outages, SystemClock(), 1.0, load, str).level() == level


def test_a_percentile_is_of_enough_recent_calls_and_not_of_those_that_wait() -> None:
    recent = RecentCalls()
    for _ in range(49):
        recent.add("m", 0.1)
    assert recent.quantile(0.99, 30.0) == 0.0
    recent.add("m", 5.0)
    recent.add("waits", 60.0)
    assert recent.quantile(1.0, 30.0, without={"waits"}) == 5.0
    assert recent.quantile(0.5, 30.0) == 0.1
    assert recent.quantile(0.99, 0.0) == 0.0
