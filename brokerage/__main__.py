"""Composition root of the brokerage: `python -m brokerage`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from brokerage import verify
from brokerage.accounts import store as accounts_store
from brokerage.accounts.access import AccountAccess
from brokerage.accounts.opening import AccountOpening
from brokerage.accounts.service import AccountService
from brokerage.books import store as books_store
from brokerage.books.service import PortfolioService
from brokerage.commit_notices import Pulse
from brokerage.config import Settings
from brokerage.domain.accounts.account import Account
from brokerage.feeds.follow import BarSource, FeedFollower
from brokerage.feeds.metrics import FeedMetrics
from brokerage.feeds.service import VenueService
from brokerage.fences.service import FenceService
from brokerage.market.configured import market_of
from brokerage.market.context import MarketContext
from brokerage.market.listed import load_listed
from brokerage.market.service import InstrumentService
from brokerage.orders.closing.service import PositionClosingService
from brokerage.orders.entry.manual_service import ManualOrderService
from brokerage.orders.entry.service import OrderEntryService
from brokerage.orders.service import OrderService
from brokerage.orders.store import ORDERS_SIGNAL
from brokerage.orders.stream import OrderEventStream
from brokerage.replay.data import SealedData
from brokerage.replay.service import ReplayService
from brokerage.risk_signals.hub import RiskHub
from brokerage.risk_signals.metrics import SignalMetrics
from brokerage.risk_signals.producer import Pace, RiskProducer
from brokerage.schema import outbox
from brokerage.status import StatusService
from brokerage.venues.ccxt.plug import ccxt_plug
from brokerage.venues.connections import VenueConnections, VenueMetrics
from brokerage.venues.dispatch.service import ReportedFillService
from brokerage.venues.paper.store import clamp_arrivals
from brokerage.venues.plugs import PlugTerms, VenuePlug, plugged, require_apart
from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from controlbus.outbox.status import StatusSources
from controlbus.service_bus import service_bus
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import manual_order_service_pb2_grpc as manualorderrpc
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_entry_service_pb2_grpc as orderentryrpc
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.broker.v1 import position_closing_service_pb2 as positionclosingservicepb
from qmtl.broker.v1 import position_closing_service_pb2_grpc as positionclosingrpc
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.broker.v1 import reported_fill_service_pb2_grpc as reportedfillrpc
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import status_service_pb2_grpc as brokerstatusrpc
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.broker.v1 import venue_service_pb2_grpc as venuerpc
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.run import Runtime, start
from qmtl.rpc.server.server import Server
from qmtl.sql.database import Database, open_database
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc

SERVICE = "brokerage"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the parts, prove the books, serve until told to stop, close in reverse."""
    clock = runtime.clock
    async with open_database(runtime) as db, service_bus(runtime) as bus:
        plugs = plugs_of(settings, clock, bus)
        stored = await runtime.patiently("store", lambda: db.read(accounts_store.venues))
        market = market_of(settings, {name: plug.traits for name, plug in plugs.items()}, stored)
        await runtime.patiently("store", lambda: db.read(lambda conn: recall_listed(conn, market)))
        await runtime.patiently("store", lambda: db.read(lambda conn: verify.verify_books(conn, market)))
        clamping = partial(clamp_arrivals, now_ns=to_ns(clock.now()), latency_bars=market.link.latency_bars)
        await runtime.patiently("store", lambda: db.write(clamping))
        relay = Relay(db, outbox, bus, SERVICE, clock)
        seamless = runtime.channel("seamless")
        source = BarSource(datarpc.DataServiceStub(seamless), datasessionrpc.DataSessionServiceStub(seamless))
        measures = FeedMetrics(runtime.metrics.registry)
        feeds = FeedFollower(db, market, source, clock, measures)
        connected = (VenueMetrics(runtime.metrics.registry), measures.wire)
        connections = VenueConnections(db, market, plugs, settings.venues, clock, connected)
        server, world = runtime.server(), accessrpc.AccessServiceStub(runtime.channel("worldservice"))
        roles = WorldRoles(world.GetEffectiveRole, accessservicepb.GetEffectiveRoleRequest, clock)
        process = Process(db, market, clock, roles, AccountAccess(db, roles), server.draining, settings.stream_poll_s)
        serve_orders(server, process)
        openings = AccountOpening(cataloguerpc.CatalogueServiceStub(seamless), market)
        serve_accounts(server, process, openings, settings.accounts_per_world_max)
        sealed = SealedData(
            artifactrpc.ArtifactServiceStub(seamless),
            cataloguerpc.CatalogueServiceStub(seamless),
            datarpc.DataServiceStub(seamless),
            market.instruments,
        )
        replays = ReplayService(market, sealed, db)
        server.add(replayrpc.add_ReplayServiceServicer_to_server, replays, service_of(replayservicepb))
        status = StatusService(db, feeds, StatusSources("brokerage", clock.now(), bus, clock, runtime.outages, relay))
        serve_venue(server, process, feeds, connections, status)
        runtime.background("outbox-relay", relay.run)
        runtime.background("paper-venue", feeds.run)
        if settings.risk_every_s:
            runtime.background("risk-signals", risk_producer(runtime, settings, db, market).run)
        for name in plugs:
            runtime.background(f"venue-{name}", partial(connections.follow, name))
        await runtime.serve(server)


def risk_producer(runtime: Runtime, settings: Settings, db: Database, market: MarketContext) -> RiskProducer:
    """Puts snapshots of the books into the risk hub of worldservice."""
    channel = runtime.channel("worldservice")
    hub = RiskHub(riskrpc.RiskServiceStub(channel), allocationrpc.AllocationServiceStub(channel))
    pace = Pace(settings.risk_after_fill_s, settings.risk_every_s)
    return RiskProducer(db, market, hub, runtime.clock, SignalMetrics(runtime.metrics.registry), pace)


def plugs_of(settings: Settings, clock: Clock, bus: Bus | None) -> Mapping[str, VenuePlug]:
    """The venues as set up. Raises InvalidRequest, NotFound for one that cannot work: the service does not start."""
    folder = settings.mesh.home.absolute() / "credentials"
    terms = (PlugTerms(name, entry, clock, os.environ, folder, bus) for name, entry in settings.venues.items())
    plugs = {one.name: plugged(one, ccxt_plug) for one in terms}
    require_apart(plugs)
    return plugs


def recall_listed(conn: Connection, market: MarketContext) -> None:
    """What venues have listed, as the store has it: books are read by it before anybody is connected."""
    for name, context in market.venues.items():
        if name != market.venue:
            context.instruments.learn(load_listed(conn, name))


@dataclass(frozen=True, slots=True)
class Process:
    """What every servicer of this process shares."""

    db: Database
    market: MarketContext
    clock: Clock
    roles: WorldRoles
    access: AccountAccess
    draining: asyncio.Event
    poll_s: float


def serve_orders(server: Server, process: Process) -> None:
    """Serve order entry, orders, portfolios and reported fills."""
    db, market, clock = process.db, process.market, process.clock
    draining, poll_s = process.draining, process.poll_s
    entry = OrderEntryService(db, market, clock, draining, poll_s)
    stream = OrderEventStream(db, market, Pulse(db, ORDERS_SIGNAL), draining, poll_s)
    orders = OrderService(db, market, process.roles, process.access, stream)
    portfolios = PortfolioService(db, market, process.access, draining, poll_s)
    server.add(
        orderentryrpc.add_OrderEntryServiceServicer_to_server,
        entry,
        service_of(orderentryservicepb),
    )
    by_hand = ManualOrderService(db, market, process.access, clock)
    server.add(manualorderrpc.add_ManualOrderServiceServicer_to_server, by_hand, service_of(manualorderservicepb))
    server.add(
        positionclosingrpc.add_PositionClosingServiceServicer_to_server,
        PositionClosingService(db, market, clock),
        service_of(positionclosingservicepb),
    )
    server.add(orderrpc.add_OrderServiceServicer_to_server, orders, service_of(orderservicepb))
    server.add(portfoliorpc.add_PortfolioServiceServicer_to_server, portfolios, service_of(portfolioservicepb))
    server.add(
        reportedfillrpc.add_ReportedFillServiceServicer_to_server,
        ReportedFillService(db, market, clock),
        service_of(reportedfillservicepb),
    )


def serve_accounts(server: Server, process: Process, openings: AccountOpening, accounts_max: int) -> None:
    """Serve accounts and fences."""
    db, clock = process.db, process.clock
    accounts = AccountService(db, process.roles, process.access, openings, books_store.holds, clock, accounts_max)
    server.add(accountrpc.add_AccountServiceServicer_to_server, accounts, service_of(accountservicepb))
    server.add(fencerpc.add_FenceServiceServicer_to_server, FenceService(db, clock), service_of(fenceservicepb))


def serve_venue(
    server: Server, process: Process, feeds: FeedFollower, connections: VenueConnections, status: StatusService
) -> None:
    """Serve instruments, the venues and the status."""
    differences = partial(_differences, process.market)
    venue = VenueService(process.db, process.access, feeds, differences, connections)
    instruments = InstrumentService(process.market)
    server.add(instrumentrpc.add_InstrumentServiceServicer_to_server, instruments, service_of(instrumentservicepb))
    server.add(venuerpc.add_VenueServiceServicer_to_server, venue, service_of(venueservicepb))
    server.add(brokerstatusrpc.add_StatusServiceServicer_to_server, status, service_of(brokerstatusservicepb))


def _differences(market: MarketContext, conn: Connection, account: Account) -> list[str]:
    return verify.differences(conn, market, account)


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
