"""Metrics of worldservice: fences that brokerage has not confirmed, worlds lowered unasked, refused writes."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class WorldMetrics:
    """Counters and gauges in the process's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.fences_pending = Gauge(
            "qmtl_world_fences_pending", "Worlds whose fence brokerage has not confirmed.", registry=registry
        )
        self.lowered = Counter(
            "qmtl_world_lowered_total",
            "Worlds lowered without being asked.",
            ["reason"],
            registry=registry,
        )
        self.undecided = Counter(
            "qmtl_world_undecided_total", "Rounds in which a world could not be decided.", registry=registry
        )
        self.refusals = Counter(
            "qmtl_world_refusals_total",
            "Refused writes.",
            ["rpc", "reason"],
            registry=registry,
        )
