"""Composition root: store, bus, relay, fence keeper, re-decider, servicer. `python -m worldservice`."""

from contextlib import AsyncExitStack
from datetime import timedelta

from controlbus.bus import Bus
from controlbus.database import Database
from controlbus.relay import Relay
from qmtl.broker.v1 import service_pb2_grpc as brokerrpc
from qmtl.rpc.run import Runtime, start
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import service_pb2_grpc as worldrpc
from worldservice.applier import Applier
from worldservice.config import Settings
from worldservice.domain.apply import Limits
from worldservice.fences import FenceKeeper
from worldservice.house import House
from worldservice.measures import Measures
from worldservice.rounds import Redecider
from worldservice.service import WorldServicer
from worldservice.settling import HouseRules
from worldservice.tables import outbox

SERVICE = "worldservice"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the parts, serve until told to stop, close them in reverse."""
    clock, mesh = runtime.clock, settings.mesh
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
        stack.push_async_callback(db.close)
        await db.migrate("worldservice:migrations")
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
        rules = HouseRules(settings.replay_presets, timedelta(seconds=settings.decision_ttl_s))
        broker = brokerrpc.BrokerageServiceStub(runtime.channel("brokerage"))
        measures = Measures(runtime.metrics.registry)
        fences = FenceKeeper(
            db, broker, clock, rules, measures, timeout_s=settings.fence_timeout_s, retry_s=settings.fence_retry_s
        )
        server = runtime.server()
        skew = timedelta(seconds=settings.gate_skew_max_s)
        limits = Limits(timedelta(seconds=settings.freeze_timeout_s), timedelta(seconds=settings.intents_wait_s))
        house = House(db, clock, rules, fences, skew, server.draining, measures, limits)
        descriptor = servicepb.DESCRIPTOR.services_by_name["WorldService"]
        servicer = WorldServicer(house, bus, relay)
        server.add(worldrpc.add_WorldServiceServicer_to_server, servicer, descriptor)
        runtime.background("outbox-relay", relay.run())
        runtime.background("fences", fences.run())
        runtime.background("applier", Applier(house, limits).run())
        runtime.background("redecider", Redecider(house, settings.redecide_interval_s).run())
        await runtime.serve(server)


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
