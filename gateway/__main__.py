"""Composition root of the gateway: `python -m gateway`."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from controlbus.bus import Bus
from controlbus.events.control_event import payload_type
from controlbus.outbox.relay import Relay
from controlbus.records.producer_leases import ProducerLeases
from controlbus.service_bus import service_bus
from gateway.admission.guard import Guard
from gateway.admission.load import Load
from gateway.admission.probes import Probes
from gateway.admission.rate_limits import Buckets
from gateway.config import Settings
from gateway.events.feed import Feed
from gateway.events.key_store import StoredStreamKeys
from gateway.events.service import EventServicer, StreamOffer
from gateway.events.snapshots import Snapshots
from gateway.events.subscribers import Subscribers
from gateway.events.subscription import StreamLimits, StreamSources
from gateway.events.tokens import StreamKeys
from gateway.events.topics import control_source, orders_source
from gateway.metrics import GatewayCollector
from gateway.orders.activations import HeldActivations
from gateway.orders.canary_shares import CanaryShares
from gateway.orders.gate import OrderGate
from gateway.orders.service import TradeStreamLimits, TradingServicer
from gateway.peers import Peers
from gateway.proxy.decision_cache import DecisionCache
from gateway.proxy.forwarding import PROXIED, Proxy
from gateway.proxy.live_guard import LiveGuard
from gateway.queues.catalogue import QueueCatalogue
from gateway.queues.service import QueueServicer
from gateway.rebalancing.executor import RebalanceExecutor
from gateway.rebalancing.service import RebalancingServicer
from gateway.status import GatewayStatusServicer
from gateway.submissions.catalogue.service import NodeCatalogueServicer
from gateway.submissions.release_worker import ReleaseWorker
from gateway.submissions.service import StrategyServicer
from gateway.submissions.store import claims
from gateway.submissions.store.room import QueueLimits
from gateway.submissions.tables import OUTBOX
from gateway.submissions.worker import Workers, WorkerSettings
from qmtl.config.files import create_once
from qmtl.config.settings import split_address
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import gateway_status_service_pb2_grpc as gatewaystatusrpc
from qmtl.gateway.v1 import node_catalogue_service_pb2 as nodecatalogueservicepb
from qmtl.gateway.v1 import node_catalogue_service_pb2_grpc as nodecataloguerpc
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.gateway.v1 import rebalancing_service_pb2 as rebalancingservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.client.breaker import Breaker
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database, open_database
from qmtl.world.v1 import access_service_pb2 as accessservicepb

RELAY_GATHER_S = 0.02  # a submission commits three times within as long


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Compose the gateway and serve until told to stop."""
    clock, gateway_id = runtime.clock, settings.gateway_id or own_id(settings)
    channels = {name: runtime.channel(name, breaker=Breaker(name)) for name in PROXIED}
    peers = Peers.over(channels)
    async with open_database(runtime) as db, service_bus(runtime) as bus:
        await runtime.patiently("store", lambda: db.write(partial(claims.clamp, at=clock.now())))
        activations = HeldActivations(peers, clock, gateway_id, settings.gate_margin_s)
        load = Load(settings.cpu_share_max, settings.cpu_sustained_s, settings.p99_max_s, runtime.metrics.recent)
        probes = Probes(channels, bus, runtime.outages, clock, settings.probe_s, load, runtime.credentials.warning)
        runtime.metrics.registry.register(GatewayCollector(probes, activations))
        roles = WorldRoles(peers.access.GetEffectiveRole, accessservicepb.GetEffectiveRoleRequest, clock)
        shares = CanaryShares(peers, clock)
        decisions = DecisionCache(peers, roles, clock)
        stored = await runtime.patiently("store", partial(StoredStreamKeys.load, db, clock))
        sources = stream_sources(clock, settings, bus, db, Snapshots(db, peers), activations.closes_at, stored.keys)
        sources.control.listen(partial(hear, activations, decisions, shares), decisions.forget_all)
        workers = Workers(db, peers, clock, worker_settings(settings, gateway_id))
        gate = OrderGate(peers, activations, shares, probes.takes_new_risk, clock)
        guard = Guard(Buckets(settings.rate_per_s, settings.rate_burst), probes.level, clock)
        server = runtime.server(admit=guard.admit)
        subscribers = Subscribers()
        strategies = StrategyServicer(db, peers, roles, workers, clock, answer_within_s=settings.warmup_deadline_s)
        events = EventServicer(sources, roles, subscribers, stream_offer(settings), server.draining)
        limits = TradeStreamLimits(settings.trade_idle_s, settings.subscriber_write_s)
        trading = TradingServicer(gate, roles, sources.orders, limits, server.draining)
        executor = RebalanceExecutor(peers, gate, bus, clock)
        runs = RebalancingServicer(peers, executor)
        catalogue = QueueCatalogue(bus, db, peers, roles, ProducerLeases(bus, clock))
        queues, nodes = QueueServicer(catalogue, server.draining), NodeCatalogueServicer()
        status = GatewayStatusServicer(db, probes, activations, subscribers, clock.now())
        for add, servicer, contract in (
            (strategyrpc.add_StrategyServiceServicer_to_server, strategies, service_of(strategyservicepb)),
            (eventrpc.add_EventServiceServicer_to_server, events, service_of(eventservicepb)),
            (tradingrpc.add_TradingServiceServicer_to_server, trading, service_of(tradingservicepb)),
            (rebalancingrpc.add_RebalancingServiceServicer_to_server, runs, service_of(rebalancingservicepb)),
            (queuerpc.add_QueueServiceServicer_to_server, queues, service_of(queueservicepb)),
            (nodecataloguerpc.add_NodeCatalogueServiceServicer_to_server, nodes, service_of(nodecatalogueservicepb)),
            (gatewaystatusrpc.add_GatewayStatusServiceServicer_to_server, status, service_of(gatewaystatuspb)),
        ):
            own_tokens = {"SubscribeEvents": sources.keys.identity} if servicer is events else None
            server.add(add, servicer, contract, identities=own_tokens)
        proxied = [service for services in PROXIED.values() for service in services]
        server.add_generic(Proxy(channels, decisions, LiveGuard(peers, roles)), proxied)
        for name, work in (
            ("relay", Relay(db, OUTBOX, bus, "gateway", clock, gather_s=RELAY_GATHER_S).run),
            ("workers", workers.run),
            ("releases", ReleaseWorker(db, peers, clock).run),
            ("feed-control", sources.control.run),
            ("feed-orders", sources.orders.run),
            ("stream-keys", partial(stored.run, timedelta(days=settings.stream_key_days))),
            ("gates", activations.run),
            ("gate-acks", activations.run_acks),
            ("gate-warnings", partial(activations.run_warnings, sources.limits.warn)),
            ("probes", probes.run),
            ("rebalances", executor.run),
        ):
            runtime.background(name, work)
        await runtime.serve(server)


def own_id(settings: Settings) -> str:
    """This gateway's id where none is set: host and port, and a mark of its home, which no other gateway shares."""
    mark = settings.mesh.home / "keys" / "gateway-mark"
    if not mark.exists():
        create_once(mark, secrets.token_hex(4))
    return f"{socket.gethostname()}:{split_address(settings.bind)[1]}:{mark.read_text(encoding='ascii')}"


def worker_settings(settings: Settings, gateway_id: str) -> WorkerSettings:
    """How submissions are worked on."""
    waiting = QueueLimits(
        settings.pending_max,
        settings.pending_identity_bytes_max,
        settings.pending_world_bytes_max,
        settings.pending_counted_from,
    )
    return WorkerSettings(f"gateway {gateway_id}", settings.workers, waiting, settings.claim_ttl_s)


def stream_offer(settings: Settings) -> StreamOffer:
    """What event streams are told of themselves."""
    return StreamOffer(
        settings.public_address or settings.bind,
        settings.fallback_address,
        timedelta(seconds=settings.stream_token_ttl_s),
        settings.subscribers_max,
        settings.subscriber_write_s,
    )


def stream_sources(
    clock: Clock,
    settings: Settings,
    bus: Bus,
    db: Database,
    snapshots: Snapshots,
    closes_at: Callable[[str], datetime | None],
    keys: StreamKeys,
) -> StreamSources:
    """What event streams are made from."""
    control = Feed(bus, control_source(db), settings.feed_max, settings.event_gather_s)
    orders = Feed(bus, orders_source(), settings.feed_max, settings.event_gather_s)
    warn = timedelta(seconds=settings.window_warn_s)
    limits = StreamLimits(settings.bookmark_s, settings.subscriber_queue_max, warn)
    return StreamSources(control, orders, snapshots, keys, clock, limits, closes_at)


def hear(
    activations: HeldActivations, decisions: DecisionCache, shares: CanaryShares, event: controlpb.ControlEvent
) -> None:
    """Bring a change to gates and caches as it is published; gates and shares make up for what is missed by asking."""
    match payload_type(event):
        case "sentinel_weight_updated":
            shares.on_event(event)
        case "activation_updated":
            decisions.forget(event.key)
            activations.on_event(event)
        case "decision_updated" | "policy_updated":
            decisions.forget(event.key)


if __name__ == "__main__":
    start(compose, Settings, "gateway")
