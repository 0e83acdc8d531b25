"""The event of a policy version that became the default."""

from __future__ import annotations

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.world.v1 import policy_pb2 as policypb
from worldservice.policy.domain.versions import PolicyRecord
from worldservice.worlds.acts import Act, draft


def policy_updated(record: PolicyRecord, act: Act) -> ControlEventDraft:
    """The version that is the default from now on."""
    payload = controlpb.PolicyUpdated(
        world_id=record.world_id,
        policy_version=record.version,
        checksum=record.checksum,
        status=policypb.POLICY_STATUS_ACTIVE,
    )
    return draft(record.world_id, payload, act)
