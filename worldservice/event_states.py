"""The RPC that tells gateways the states of a world's facts, each with the revision of its last event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from google.protobuf.message import Message
from sqlalchemy import Connection

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.control.v1 import event_state_service_pb2 as eventstateservicepb
from qmtl.control.v1 import event_state_service_pb2_grpc as eventstaterpc
from qmtl.core.errors import refused
from qmtl.sql.database import Database
from qmtl.wire.fields import require_text
from qmtl.world.v1 import policy_pb2 as policypb
from worldservice.activation.store.activations import load_activation
from worldservice.activation.wire import activation_to_proto
from worldservice.evaluation import store as runs_store
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.evaluation.wire import decision_to_proto, run_to_proto
from worldservice.policy.store import get_policy
from worldservice.tables import outbox
from worldservice.worlds.domain.world import World
from worldservice.worlds.store.sessions import open_sessions
from worldservice.worlds.store.worlds import get_world

SOURCE = "worldservice"
Keyed = tuple[str, Message, datetime]  # since when it is so


class EventStateServicer(eventstaterpc.EventStateServiceServicer):
    """See event_state_service.proto."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ListEventStates(
        self, request: eventstateservicepb.ListEventStatesRequest, context: object
    ) -> AsyncIterator[eventstateservicepb.ListEventStatesResponse]:
        require_text(request.world_id, "world_id")

        def work(conn: Connection) -> list[controlpb.ControlEvent]:
            world = get_world(conn, request.world_id)
            found = [each for kind in request.kinds for each in _states(conn, kind, world, request.strategy_ids)]
            drafts = [ControlEventDraft(SOURCE, key, payload, since) for key, payload, since in found]
            return [outbox.state(conn, each) for each in drafts]

        for state in await self._db.read(work):
            yield eventstateservicepb.ListEventStatesResponse(state=state)


def _states(
    conn: Connection, kind: eventstateservicepb.EventKind, world: World, strategy_ids: Sequence[str]
) -> list[Keyed]:
    """The keys of a kind in a world and what their events would say now."""
    match kind:
        case eventstateservicepb.EVENT_KIND_ACTIVATION_UPDATED:
            return [_activation(conn, world)]
        case eventstateservicepb.EVENT_KIND_POLICY_UPDATED:
            return _policy(conn, world)
        case eventstateservicepb.EVENT_KIND_DECISION_UPDATED:
            decision = runs_store.last_decision(conn, world.world_id)
            if decision is None:
                return []
            return [
                (world.world_id, controlpb.DecisionUpdated(decision=decision_to_proto(decision)), decision.decided_at)
            ]
        case eventstateservicepb.EVENT_KIND_EVALUATION_RUN_UPDATED:
            runs = runs_store.newest_runs(conn, world.world_id, frozenset(strategy_ids))
            return [_run(run) for run in runs]
    raise refused("E_ENUM", "kinds", str(kind), "a kind that worldservice owns")


def _activation(conn: Connection, world: World) -> Keyed:
    activation = load_activation(conn, world.world_id, world.created_at)
    envelope = activation_to_proto(activation, open_sessions(conn, world.world_id))
    return world.world_id, controlpb.ActivationUpdated(activation=envelope), activation.time


def _run(run: EvaluationRun) -> Keyed:
    key = f"{run.world_id}/{run.strategy_id}"
    return key, controlpb.EvaluationRunUpdated(run=run_to_proto(run)), run.created_at


def _policy(conn: Connection, world: World) -> list[Keyed]:
    """The default policy; none when none was set."""
    if not world.default_policy_version:
        return []
    record = get_policy(conn, world.world_id, world.default_policy_version)
    payload = controlpb.PolicyUpdated(
        world_id=world.world_id, policy_version=record.version, checksum=record.checksum,
        status=policypb.POLICY_STATUS_ACTIVE,
    )  # fmt: skip
    return [(world.world_id, payload, record.created_at)]
