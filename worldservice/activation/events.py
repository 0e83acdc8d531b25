"""The events of an activation that changed and of a gateway that has applied it."""

from collections.abc import Sequence

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.world.v1 import service_pb2 as servicepb
from worldservice.activation.domain.activation import Activation
from worldservice.activation.wire import activation_to_proto
from worldservice.worlds.acts import Act, draft
from worldservice.worlds.domain.session import Session
from worldservice.worlds.fields import instant_to_proto


def activation_acked(ack: servicepb.AckActivationRequest, act: Act) -> ControlEventDraft:
    payload = controlpb.ActivationAcked(
        world_id=ack.world_id,
        run_id=ack.run_id,
        sequence=ack.sequence,
        gateway_id=ack.gateway_id,
        boot_id=ack.boot_id,
        acked_at=instant_to_proto(act.now),
    )
    return draft(ack.world_id, payload, act)


def activation_updated(activation: Activation, sessions: Sequence[Session], act: Act) -> ControlEventDraft:
    payload = controlpb.ActivationUpdated(activation=activation_to_proto(activation, sessions))
    return draft(activation.world_id, payload, act)
