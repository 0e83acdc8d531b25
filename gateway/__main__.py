"""Composition root of the gateway: `python -m gateway`."""

from __future__ import annotations

from datetime import timedelta

import structlog

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from controlbus.records.producer_leases import ProducerLeases
from gateway.access import Access
from gateway.admission.guard import Guard
from gateway.admission.load import Load
from gateway.admission.probes import Probes
from gateway.admission.rate_limits import Buckets
from gateway.config import Settings
from gateway.doors import Doors
from gateway.events.feed import Feed
from gateway.events.snapshots import Snapshots
from gateway.events.subscription import StreamLimits, StreamSources
from gateway.events.tokens import StreamKeys
from gateway.events.topics import control_source, orders_source
from gateway.orders.activations import HeldActivations
from gateway.orders.canary_shares import CanaryShares
from gateway.peers import Peers
from gateway.proxy.decision_cache import DecisionCache
from gateway.proxy.forwarding import PROXIED, Proxy
from gateway.proxy.live_guard import LiveGuard
from gateway.queues.catalogue import QueueCatalogue
from gateway.status import PLANNED, GatewayServicer
from gateway.submissions.release_worker import ReleaseWorker
from gateway.submissions.tables import OUTBOX
from gateway.submissions.worker import Workers, WorkerSettings
from qmtl.config.settings import MeshSettings
from qmtl.core.clock import Clock
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.gateway.v1 import service_pb2_grpc as gatewayrpc
from qmtl.rpc.client.breaker import Breaker
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database

RELAY_GATHER_S = 0.02  # a submission commits three times within as long
ROTATION_LOOK_S = 3600.0
FOLLOWED = ("activation_updated", "decision_updated", "policy_updated", "sentinel_weight_updated")


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Compose the gateway and serve until told to stop."""
    gateway_id = settings.gateway_id or settings.bind
    channels = {name: runtime.channel(name, breaker=Breaker(name)) for name in PROXIED}
    peers = Peers.over(channels)
    db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
    await db.migrate("gateway:migrations")
    mesh = settings.mesh
    bus = await connected(runtime, mesh)
    gates = HeldActivations(peers, runtime.clock, gateway_id, settings.gate_margin_s)
    load = Load(settings.cpu_share_max, settings.cpu_sustained_s, settings.p99_max_s, runtime.metrics.recent)
    probes = Probes(channels, bus, db, runtime.clock, settings.probe_s, load)
    keys = StreamKeys(mesh.home / "keys" / "streams.json", runtime.clock)
    control = Feed(bus, control_source(db), settings.feed_max, settings.event_gather_s)
    orders = Feed(bus, orders_source(), settings.feed_max, settings.event_gather_s)
    warn = timedelta(seconds=settings.window_warn_s)
    pace = StreamLimits(settings.bookmark_s, settings.subscriber_queue_max, warn)
    access = Access(peers, runtime.clock)
    canaries = CanaryShares(peers, runtime.clock)
    decisions = DecisionCache(peers, access, runtime.clock)
    guard = Guard(Buckets(settings.rate_per_s, settings.rate_burst), probes.level, runtime.clock)
    server = runtime.server(admit=guard.admit)
    worker = WorkerSettings(f"gateway {gateway_id}", settings.workers, settings.pending_max, settings.claim_ttl_s)
    workers = Workers(db, peers, runtime.clock, worker)
    doors = Doors(
        settings=settings,
        clock=runtime.clock,
        db=db,
        peers=peers,
        access=access,
        gates=gates,
        canaries=canaries,
        probes=probes,
        streams=StreamSources(control, orders, Snapshots(db, peers), keys, runtime.clock, pace, gates.closes_at),
        queues=QueueCatalogue(bus, db, peers, access, ProducerLeases(bus, runtime.clock)),
        workers=workers,
        draining=server.draining,
        started_at=runtime.clock.now(),
    )
    contract = servicepb.DESCRIPTOR.services_by_name["GatewayService"]
    servicer = GatewayServicer(doors)  # type: ignore[abstract]  # planned calls are refused before they reach it
    server.add(gatewayrpc.add_GatewayServiceServicer_to_server, servicer, contract, PLANNED)
    server.add_generic(Proxy(channels, decisions, LiveGuard(peers, access)), list(PROXIED.values()))
    runtime.background("relay", Relay(db, OUTBOX, bus, "gateway", runtime.clock, gather_s=RELAY_GATHER_S).run())
    runtime.background("workers", workers.run())
    runtime.background("releaser", ReleaseWorker(db, peers, runtime.clock).run())
    runtime.background("feed-control", control.run())
    runtime.background("feed-orders", orders.run())
    runtime.background("stream-keys", rotate_keys(keys, timedelta(days=settings.stream_key_days), runtime.clock))
    runtime.background("gates", gates.run())
    runtime.background("gate-acks", gates.run_acks())
    runtime.background("gate-warnings", gates.run_warnings(warn))
    runtime.background("gate-events", follow_changes(bus, gates, decisions, canaries))
    runtime.background("probes", probes.run())
    try:
        await runtime.serve(server)
    finally:
        await bus.close()
        await db.close()


async def connected(runtime: Runtime, mesh: MeshSettings) -> Bus:
    """The bus; it connects when the broker is there."""
    return await Bus.connect(
        mesh.nats_url,
        service="gateway",
        credentials=mesh.nats_credentials,
        replicas=mesh.stream_replicas,
        clock=runtime.clock,
        registry=runtime.metrics.registry,
    )


async def rotate_keys(keys: StreamKeys, older_than: timedelta, clock: Clock) -> None:
    """Sign streams with a new key now and then; tokens live shorter than a key is kept."""
    while True:
        if keys.rotate(older_than):
            structlog.stdlib.get_logger("qmtl.gateway").info("stream_key_rotated")
        await clock.sleep(ROTATION_LOOK_S)


async def follow_changes(bus: Bus, gates: HeldActivations, decisions: DecisionCache, canaries: CanaryShares) -> None:
    """Bring changes to gates and caches as they are published; what is missed comes with the next renewal or ttl."""
    async with bus.subscribe(FOLLOWED) as deliveries:
        async for delivery in deliveries:
            if delivery.event.HasField("sentinel_weight_updated"):
                canaries.on_event(delivery.event)
            else:
                decisions.forget(delivery.event.key)
            if delivery.event.HasField("activation_updated"):
                gates.on_event(delivery.event)
            await delivery.ack()


if __name__ == "__main__":
    start(compose, Settings, "gateway")
