"""What worldservice publishes: one draft per fact, with the whole current state of its key."""

from collections.abc import Sequence

from google.protobuf.message import Message

from controlbus.events import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.acts import Act
from worldservice.domain.activation import Activation
from worldservice.domain.decisions import Decision
from worldservice.domain.evaluation import EvaluationRun
from worldservice.domain.sessions import Session
from worldservice.domain.worlds import PolicyRecord
from worldservice.wire import instant_to_proto
from worldservice.wire_activation import activation_to_proto
from worldservice.wire_decisions import decision_to_proto, run_to_proto

SOURCE = "worldservice"


def activation_acked(ack: servicepb.AckActivationRequest, act: Act) -> ControlEventDraft:
    payload = controlpb.ActivationAcked(
        world_id=ack.world_id,
        run_id=ack.run_id,
        sequence=ack.sequence,
        gateway_id=ack.gateway_id,
        boot_id=ack.boot_id,
        acked_at=instant_to_proto(act.now),
    )
    return _draft(ack.world_id, payload, act)


def activation_updated(activation: Activation, sessions: Sequence[Session], act: Act) -> ControlEventDraft:
    payload = controlpb.ActivationUpdated(activation=activation_to_proto(activation, sessions))
    return _draft(activation.world_id, payload, act)


def decision_updated(decision: Decision, act: Act) -> ControlEventDraft:
    return _draft(decision.world_id, controlpb.DecisionUpdated(decision=decision_to_proto(decision)), act)


def policy_updated(record: PolicyRecord, act: Act) -> ControlEventDraft:
    """The version that is the default from now on."""
    payload = controlpb.PolicyUpdated(
        world_id=record.world_id,
        policy_version=record.version,
        checksum=record.checksum,
        status=worldpb.POLICY_STATUS_ACTIVE,
    )
    return _draft(record.world_id, payload, act)


def run_updated(run: EvaluationRun, act: Act) -> ControlEventDraft:
    return _draft(f"{run.world_id}/{run.strategy_id}", controlpb.EvaluationRunUpdated(run=run_to_proto(run)), act)


def _draft(key: str, payload: Message, act: Act) -> ControlEventDraft:
    return ControlEventDraft(
        SOURCE, key, payload, act.now, correlation_id=act.correlation_id, causation_id=act.request_id
    )
