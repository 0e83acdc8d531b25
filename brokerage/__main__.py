"""Composition root of the brokerage: `python -m brokerage`."""

from __future__ import annotations

from contextlib import AsyncExitStack

from brokerage import verify
from brokerage.access import Access
from brokerage.accounts.opening import AccountOpening
from brokerage.config import Settings
from brokerage.feeds.follow import BarSource, FeedFollower
from brokerage.feeds.metrics import FeedMetrics
from brokerage.market.configured import market_of
from brokerage.schema import outbox
from brokerage.service import PLANNED, Brokerage, Parts
from brokerage.status import StatusReport
from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.broker.v1 import service_pb2_grpc as rpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc

SERVICE = "brokerage"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the parts, prove the books, serve until told to stop, close in reverse."""
    clock, mesh, market = runtime.clock, settings.mesh, market_of(settings)
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
        stack.push_async_callback(db.close)
        await db.migrate("brokerage:migrations")
        await db.read(lambda conn: verify.verify_books(conn, market))
        bus = await Bus.connect(
            mesh.nats_url,
            service=SERVICE,
            credentials=mesh.nats_credentials,
            replicas=mesh.stream_replicas,
            clock=clock,
            registry=runtime.metrics.registry,
        )
        stack.push_async_callback(bus.close)
        relay = Relay(db, outbox, bus, SERVICE, clock)
        seamless = runtime.channel("seamless")
        source = BarSource(datarpc.DataServiceStub(seamless), datasessionrpc.DataSessionServiceStub(seamless))
        venue = FeedFollower(db, market, source, clock, FeedMetrics(runtime.metrics.registry))
        server = runtime.server()
        servicer = Brokerage(  # type: ignore[abstract]  # planned calls are answered before they reach it
            Parts(
                db=db,
                market=market,
                access=Access(accessrpc.AccessServiceStub(runtime.channel("worldservice"))),
                openings=AccountOpening(cataloguerpc.CatalogueServiceStub(seamless), market),
                venue=venue,
                status=StatusReport(db, bus, relay, venue, clock),
                clock=clock,
                draining=server.draining,
                stream_poll_s=settings.stream_poll_s,
                accounts_max=settings.accounts_per_world_max,
            )
        )
        descriptor = servicepb.DESCRIPTOR.services_by_name["BrokerageService"]
        server.add(rpc.add_BrokerageServiceServicer_to_server, servicer, descriptor, PLANNED)
        runtime.background("outbox-relay", relay.run())
        runtime.background("paper-venue", venue.run())
        await runtime.serve(server)


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
