"""The events of an activation that changed and of a gateway that has applied it."""

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from worldservice.worlds.acts import Act, draft


def activation_acked(ack: gateservicepb.AckActivationRequest, act: Act) -> ControlEventDraft:
    """A gateway has applied a sequence of an apply."""
    payload = controlpb.ActivationAcked(
        world_id=ack.world_id,
        run_id=ack.run_id,
        apply_sequence=ack.apply_sequence,
        gateway_id=ack.gateway_id,
        boot_id=ack.boot_id,
        acked_at=instant_to_proto(act.now),
    )
    return draft(ack.world_id, payload, act)


def activation_updated(envelope: activationpb.ActivationEnvelope, act: Act) -> ControlEventDraft:
    """The whole activation after a change."""
    return draft(envelope.world_id, controlpb.ActivationUpdated(activation=envelope), act)
