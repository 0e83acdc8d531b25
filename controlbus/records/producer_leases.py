"""Who may compute and publish a ComputeKey: a lease per key, kept by explicit calls with its epoch.

    leases = ProducerLeases(bus, clock)
    tenure = await leases.acquire(compute_key, holder, ttl_s=10)      # not acquired: read the queue instead
    await leases.renew(compute_key, tenure.epoch)                     # well before tenure.expires_at
    writer = await RecordWriter.open(bus, queue, tenure.epoch)

Gateways do it for SDKs. The lease decides who computes; that a bucket is written once is decided where it is written,
by controlbus.records.
"""

from __future__ import annotations

from controlbus.bus import Bus
from controlbus.coordination.tenures import Tenures
from controlbus.jetstream.subjects import compute_digest
from qmtl.core.clock import Clock


class ProducerLeases(Tenures):
    """The leases of all ComputeKeys."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        super().__init__(bus, clock, lambda compute_key: f"producer/{compute_digest(compute_key)}")
