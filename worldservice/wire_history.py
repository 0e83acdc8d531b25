"""Proto and domain: rows of the audit log, and both ways the records it keeps of an activation."""

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.wire.limits import limits_from_proto, limits_to_proto
from qmtl.wire.windows import windows_of_record, windows_to_proto
from qmtl.wire.words import instant_from_proto
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.domain.activation import Fence, FenceState, Phase
from worldservice.domain.history import ActivationRecord
from worldservice.domain.records import AuditRow
from worldservice.wire import enum_from_proto, instant_to_proto
from worldservice.wire_activation import entry_from_proto, entry_to_proto, side_from_proto, side_to_proto
from worldservice.wire_decisions import mode_from_proto, mode_to_proto


def record_to_proto(record: ActivationRecord) -> worldpb.ActivationRecord:
    fence = record.fence
    return worldpb.ActivationRecord(
        revision=record.revision,
        whole=record.whole,
        entries=[entry_to_proto(entry) for entry in record.entries],
        removed=[worldpb.ActivationKey(strategy_id=name, side=side_to_proto(side)) for name, side in record.removed],
        epoch=fence.epoch,
        fence_state=f"FENCE_STATE_{fence.state.name}",
        effective_mode=mode_to_proto(fence.effective_mode),
        confirmed_epoch=fence.confirmed_epoch,
        run_id=record.run_id,
        sequence=record.sequence,
        phase=f"APPLY_PHASE_{record.phase.name}",
        requires_ack=record.requires_ack,
        time=instant_to_proto(record.time),
        windows=windows_to_proto(record.windows),
        limits=limits_to_proto(fence.limits),
        state_hash=record.state_hash,
    )


def record_from_proto(message: worldpb.ActivationRecord) -> ActivationRecord:
    state = enum_from_proto(message.fence_state, brokerpb.FenceState, "FENCE_STATE_", FenceState, "fence_state")
    mode = mode_from_proto(message.effective_mode, "effective_mode")
    return ActivationRecord(
        revision=message.revision,
        whole=message.whole,
        entries=tuple(entry_from_proto(entry) for entry in message.entries),
        removed=tuple((key.strategy_id, side_from_proto(key.side, "removed.side")) for key in message.removed),
        fence=Fence(message.epoch, state, mode, message.confirmed_epoch, limits_from_proto(message.limits)),
        run_id=message.run_id,
        sequence=message.sequence,
        phase=enum_from_proto(message.phase, worldpb.ApplyPhase, "APPLY_PHASE_", Phase, "phase"),
        requires_ack=message.requires_ack,
        time=instant_from_proto(message.time, "time"),
        windows=windows_of_record(message.windows),
        state_hash=message.state_hash,
    )


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
