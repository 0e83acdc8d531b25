"""The events of an activation that changed and of a gateway that has applied it."""

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from worldservice.worlds.acts import Act, draft
from worldservice.worlds.fields import instant_to_proto


def activation_acked(ack: gateservicepb.AckActivationRequest, act: Act) -> ControlEventDraft:
    payload = controlpb.ActivationAcked(
        world_id=ack.world_id,
        run_id=ack.run_id,
        sequence=ack.sequence,
        gateway_id=ack.gateway_id,
        boot_id=ack.boot_id,
        acked_at=instant_to_proto(act.now),
    )
    return draft(ack.world_id, payload, act)


def activation_updated(envelope: activationpb.ActivationEnvelope, act: Act) -> ControlEventDraft:
    return draft(envelope.world_id, controlpb.ActivationUpdated(activation=envelope), act)
