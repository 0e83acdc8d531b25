"""Composition root: store, bus, relay, fence keeper, re-decider, servicer. `python -m worldservice`."""

from contextlib import AsyncExitStack
from datetime import timedelta

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from qmtl.broker.v1 import service_pb2_grpc as brokerrpc
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import service_pb2_grpc as worldrpc
from worldservice.activation.fence_keeper import FenceKeeper
from worldservice.activation.redecider import Redecider
from worldservice.apply.domain.run import ApplyTimeouts
from worldservice.apply.driver import ApplyDriver
from worldservice.config import Settings
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.metrics import WorldMetrics
from worldservice.status import WorldServicer
from worldservice.tables import outbox
from worldservice.worlds.writes import House

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
        rules = DecisionSettings(settings.replay_presets, timedelta(seconds=settings.decision_ttl_s))
        broker = brokerrpc.BrokerageServiceStub(runtime.channel("brokerage"))
        measures = WorldMetrics(runtime.metrics.registry)
        fences = FenceKeeper(
            db, broker, clock, rules, measures, timeout_s=settings.fence_timeout_s, retry_s=settings.fence_retry_s
        )
        server = runtime.server()
        skew = timedelta(seconds=settings.gate_skew_max_s)
        limits = ApplyTimeouts(timedelta(seconds=settings.freeze_timeout_s), timedelta(seconds=settings.intents_wait_s))
        house = House(db, clock, rules, fences, skew, server.draining, measures, limits)
        descriptor = servicepb.DESCRIPTOR.services_by_name["WorldService"]
        servicer = WorldServicer(house, bus, relay)
        server.add(worldrpc.add_WorldServiceServicer_to_server, servicer, descriptor)
        runtime.background("outbox-relay", relay.run())
        runtime.background("fences", fences.run())
        runtime.background("applier", ApplyDriver(house, limits).run())
        runtime.background("redecider", Redecider(house, settings.redecide_interval_s).run())
        await runtime.serve(server)


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
