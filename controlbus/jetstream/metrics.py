"""What the bus counts in one process. Labels are bounded: payload type, consumer name, cause; never a key."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

AGE_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class BusMetrics:
    """Registered once per registry; give Bus.connect the runtime's so that Prometheus sees them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"qmtl_bus_{name}_total", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"qmtl_outbox_{name}", text, registry=registry)

        self.published = counter("published", "Messages the broker acknowledged.")
        self.publish_failed = counter("publish_failed", "Publish attempts that will be repeated.", "reason")
        self.consumed = counter("consumed", "Messages handed to a handler.", "consumer")
        self.duplicates = counter("duplicates", "Messages dropped as seen already.", "consumer")
        self.redelivered = counter("redelivered", "Deliveries after the first.", "consumer")
        self.dead_lettered = counter("dead_lettered", "Messages given up.", "consumer", "cause")
        self.gaps = counter("revision_gaps", "Gaps healed by a snapshot.", "type")
        self.resyncs = counter("resyncs", "Whole snapshots loaded again by followers.")
        self.disconnected = counter("disconnected", "Times the broker was lost.")
        self.forbidden = counter("forbidden", "Permission violations the broker reported.", "operation")
        self.leases_lost = counter("leases_lost", "Leases counted as lost by their holder.")
        self.commit_conflicts = counter("commit_conflict", "Buckets committed already from other inputs.")
        self.owners_reassigned = counter("owner_reassign", "Tenures of a producer that went on after another's.")
        self.records_ignored = counter("records_ignored", "Record batches a reader left out.", "cause")
        self.event_age_s = Histogram(
            "qmtl_bus_event_age_seconds",
            "From the owner's commit to the handler.",
            buckets=AGE_BUCKETS_S,
            registry=registry,
        )
        self.refused = Gauge("qmtl_bus_refused", "1 while the broker acknowledges no write.", registry=registry)
        self.outbox_depth = gauge("depth", "Rows that wait for the broker.")
        self.outbox_age_s = gauge("oldest_age_seconds", "Age of the oldest waiting row.")
