"""Rows of the audit log as messages of the contract."""

from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.activation.wire import record_to_proto
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.fields import instant_to_proto


def audit_to_proto(row: AuditRow) -> worldpb.AuditEntry:
    return worldpb.AuditEntry(
        sequence=row.sequence,
        world_id=row.world_id,
        actor=row.actor,
        event=row.event,
        request=row.request,
        result=f"AUDIT_RESULT_{row.result}",
        detail=row.detail,
        correlation_id=row.correlation_id,
        time=instant_to_proto(row.time),
        activation=None if row.record is None else record_to_proto(row.record),
    )
