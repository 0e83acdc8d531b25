"""Metrics of worldservice: fences that brokerage has not confirmed, worlds lowered unasked, refused writes."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge


class WorldMetrics:
    """Counters and gauges in the process's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.fences_pending = gauge("qmtl_world_fences_pending", "Worlds whose fence brokerage has not confirmed.")
        self.lowered = counter("qmtl_world_lowered_total", "Worlds lowered without being asked.", ["reason"])
        self.undecided = counter("qmtl_world_undecided_total", "Rounds in which a world could not be decided.")
        self.refusals = counter("qmtl_world_refusals_total", "Refused writes.", ["rpc", "reason"])
