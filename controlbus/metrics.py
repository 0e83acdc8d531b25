"""What the bus counts. Labels are bounded: service, stream, payload type, consumer name; never a key."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("bus_published_total", "Messages the broker acknowledged", ["service"])
PUBLISH_FAILED = Counter("bus_publish_failed_total", "Publish attempts to be repeated", ["service", "reason"])
CONSUMED = Counter("bus_consumed_total", "Messages handed to a handler", ["service", "consumer"])
DUPLICATES = Counter("bus_duplicates_total", "Messages dropped as seen already", ["service", "consumer"])
REDELIVERED = Counter("bus_redelivered_total", "Deliveries after the first", ["service", "consumer"])
DEAD_LETTERED = Counter("bus_dead_lettered_total", "Messages given up", ["service", "consumer", "cause"])
GAPS = Counter("bus_revision_gaps_total", "Gaps healed by a snapshot", ["service", "type"])
RESYNCS = Counter("bus_resyncs_total", "Whole snapshots loaded by followers", ["service"])
DISCONNECTED = Counter("bus_disconnected_total", "Times the broker was lost", ["service"])
OUTBOX_DEPTH = Gauge("outbox_depth", "Rows that wait for the broker", ["service"])
OUTBOX_AGE = Gauge("outbox_oldest_age_seconds", "Age of the oldest waiting row", ["service"])
EVENT_AGE = Histogram(
    "bus_event_age_seconds",
    "From the owner's commit to the handler",
    ["service"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
LEASES_LOST = Counter("bus_leases_lost_total", "Leases counted as lost by their holder", ["service"])
