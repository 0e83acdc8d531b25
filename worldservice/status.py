"""The servicer: every RPC of WorldService, by groups."""

from importlib.metadata import version

from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.world.v1 import service_pb2 as pb
from qmtl.world.v1 import service_pb2_grpc as worldrpc
from worldservice.activation.service.activation import ActivationCalls
from worldservice.activation.service.sessions import SessionCalls
from worldservice.activation.store import activations
from worldservice.activation.store import gates as gates_store
from worldservice.apply.service import ApplyCalls
from worldservice.bindings.service import AccessCalls
from worldservice.evaluation.service import DecisionCalls
from worldservice.graph.service import GraphCalls
from worldservice.tables import outbox
from worldservice.timing import GATE_MARGIN, GATE_TTL
from worldservice.worlds.fields import instant_to_proto
from worldservice.worlds.service.worlds import WorldCalls
from worldservice.worlds.store import worlds as worlds_store
from worldservice.worlds.writes import House


class WorldServicer(
    WorldCalls,
    AccessCalls,
    DecisionCalls,
    ActivationCalls,
    ApplyCalls,
    SessionCalls,
    GraphCalls,
    worldrpc.WorldServiceServicer,
):
    """One method per RPC; the groups say what they do."""

    def __init__(self, house: House, bus: Bus, relay: Relay) -> None:
        self.house = house
        self._bus = bus
        self._relay = relay
        self._started_at = house.clock.now()

    async def GetStatus(self, request: pb.GetStatusRequest, context: object) -> pb.GetStatusResponse:
        since = self.house.clock.now() - GATE_TTL - GATE_MARGIN

        def work(conn: Connection) -> tuple[int, int, int, list[str]]:
            depth = outbox.backlog(conn).depth
            return (
                depth,
                worlds_store.count_worlds(conn),
                gates_store.count_gates(conn, since),
                activations.pending_fences(conn),
            )

        depth, worlds, gates, pending = await self.house.db.read(work)
        nats = self._bus.status()
        state = commonpb.DEPENDENCY_STATE_REACHABLE if nats.connected else commonpb.DEPENDENCY_STATE_UNREACHABLE
        bus = commonpb.DependencyStatus(name="nats", state=state, detail="" if nats.connected else nats.detail)
        status = commonpb.ServiceStatus(
            service="worldservice",
            version=version("qmtl"),
            started_at=instant_to_proto(self._started_at),
            dependencies=[bus],
            outbox_depth=depth,
            degraded=not nats.connected or self._relay.status().degraded or bool(pending),
        )
        return pb.GetStatusResponse(status=status, worlds=worlds, gate_sessions=gates, fences_pending=pending)
