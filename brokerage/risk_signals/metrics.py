"""What is counted of the risk hub's snapshots."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class SignalMetrics:
    """Puts by what became of them, and how many scopes have none of their newest in the hub."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.puts = Counter(
            "qmtl_brokerage_risk_puts_total",
            "Snapshots for the risk hub by what became of them.",
            ["result"],
            registry=registry,
        )
        self.failing = Gauge(
            "qmtl_brokerage_risk_scopes_failing",
            "Scopes whose newest snapshot the risk hub does not have.",
            registry=registry,
        )
