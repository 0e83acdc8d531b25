"""Proto and domain, both ways: activation, what an operator asks to change, sessions, gate sessions."""

from collections.abc import Sequence

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.modes import ExecutionDomain, domain_of
from qmtl.wire.limits import limits_from_proto, limits_to_proto
from qmtl.wire.windows import windows_from_proto, windows_to_proto
from qmtl.wire.words import DOMAIN_NUMBERS, DOMAINS, instant_from_proto, known_enum
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.domain.activation import Activation, Entry, Fence, FenceState, Phase
from worldservice.domain.changes import Change
from worldservice.domain.gates import GATE_TTL, GateSession
from worldservice.domain.sessions import Session
from worldservice.domain.worlds import Side
from worldservice.wire import enum_from_proto, instant_to_proto, span_to_proto
from worldservice.wire_decisions import mode_from_proto, mode_to_proto
from worldservice.wire_worlds import stage_from_proto, stage_to_proto


def side_to_proto(side: Side) -> str:
    return f"SIDE_{side.name}"


def side_from_proto(number: int, field: str) -> Side:
    return enum_from_proto(number, commonpb.Side, "SIDE_", Side, field)


def domain_to_proto(domain: ExecutionDomain) -> commonpb.ExecutionDomain:
    return DOMAIN_NUMBERS[domain]


def domain_from_proto(number: commonpb.ExecutionDomain, field: str) -> ExecutionDomain:
    return known_enum(DOMAINS, number, field)


def change_from_proto(message: servicepb.ActivationChange, field: str) -> Change:
    """An absent field keeps its value. Raises InvalidRequest."""
    return Change(
        strategy_id=message.strategy_id,
        side=side_from_proto(message.side, f"{field}.side"),
        active=message.active if message.HasField("active") else None,
        weight=message.weight if message.HasField("weight") else None,
        freeze=message.freeze if message.HasField("freeze") else None,
        drain=message.drain if message.HasField("drain") else None,
        valid_from=instant_from_proto(message.valid_from, f"{field}.valid_from")
        if message.HasField("valid_from")
        else None,
        valid_until=instant_from_proto(message.valid_until, f"{field}.valid_until")
        if message.HasField("valid_until")
        else None,
        stage=stage_from_proto(message.stage, f"{field}.stage") if message.stage else None,
    )


def change_to_proto(change: Change) -> servicepb.ActivationChange:
    return servicepb.ActivationChange(
        strategy_id=change.strategy_id,
        side=side_to_proto(change.side),
        active=change.active,
        weight=change.weight,
        freeze=change.freeze,
        drain=change.drain,
        valid_from=instant_to_proto(change.valid_from),
        valid_until=instant_to_proto(change.valid_until),
        stage=None if change.stage is None else stage_to_proto(change.stage),
    )


def entry_to_proto(entry: Entry) -> worldpb.ActivationEntry:
    return worldpb.ActivationEntry(
        strategy_id=entry.strategy_id,
        side=side_to_proto(entry.side),
        active=entry.active,
        weight=entry.weight,
        freeze=entry.freeze,
        drain=entry.drain,
        valid_from=instant_to_proto(entry.valid_from),
        valid_until=instant_to_proto(entry.valid_until),
        changed_at=instant_to_proto(entry.changed_at),
        run_id=entry.run_id,
        effective_mode=mode_to_proto(entry.effective_mode),
    )


def entry_from_proto(message: worldpb.ActivationEntry) -> Entry:
    has_from, has_until = message.HasField("valid_from"), message.HasField("valid_until")
    return Entry(
        strategy_id=message.strategy_id,
        side=side_from_proto(message.side, "entries.side"),
        active=message.active,
        weight=message.weight,
        freeze=message.freeze,
        drain=message.drain,
        valid_from=instant_from_proto(message.valid_from, "entries.valid_from") if has_from else None,
        valid_until=instant_from_proto(message.valid_until, "entries.valid_until") if has_until else None,
        changed_at=instant_from_proto(message.changed_at, "entries.changed_at"),
        run_id=message.run_id,
        effective_mode=mode_from_proto(message.effective_mode, "entries.effective_mode"),
    )


def activation_to_proto(activation: Activation, sessions: Sequence[Session]) -> worldpb.ActivationEnvelope:
    return worldpb.ActivationEnvelope(
        world_id=activation.world_id,
        revision=activation.revision,
        previous_revision=max(0, activation.revision - 1),
        entries=[entry_to_proto(entry) for entry in activation.entries],
        etag=activation.etag,
        state_hash=activation.state_hash,
        effective_mode=mode_to_proto(activation.effective_mode),
        epoch=activation.fence.epoch,
        run_id=activation.run_id,
        sequence=activation.sequence,
        phase=f"APPLY_PHASE_{activation.phase.name}",
        requires_ack=activation.requires_ack,
        time=instant_to_proto(activation.time),
        execution_domain=domain_to_proto(domain_of(activation.effective_mode)),
        fence_pending=activation.fence.pending,
        sessions=[session_to_proto(session) for session in sessions],
        windows=windows_to_proto(activation.windows),
        limits=limits_to_proto(activation.fence.limits),
    )


def activation_from_proto(message: worldpb.ActivationEnvelope, fence_state: FenceState) -> Activation:
    """The activation an envelope tells of; it does not carry the fence's state, and a pending epoch only as a flag."""
    confirmed = message.epoch - 1 if message.fence_pending else message.epoch
    mode = mode_from_proto(message.effective_mode, "effective_mode")
    return Activation(
        world_id=message.world_id,
        revision=message.revision,
        entries=tuple(entry_from_proto(entry) for entry in message.entries),
        fence=Fence(message.epoch, fence_state, mode, confirmed, limits_from_proto(message.limits)),
        run_id=message.run_id,
        sequence=message.sequence,
        phase=enum_from_proto(message.phase, worldpb.ApplyPhase, "APPLY_PHASE_", Phase, "phase"),
        requires_ack=message.requires_ack,
        time=instant_from_proto(message.time, "time"),
        windows=windows_from_proto(message.windows),
    )


def session_to_proto(session: Session) -> worldpb.Session:
    state = worldpb.SESSION_STATE_OPEN if session.closed_at is None else worldpb.SESSION_STATE_CLOSED
    return worldpb.Session(
        session_id=session.session_id,
        world_id=session.world_id,
        execution_domain=domain_to_proto(session.domain),
        start=instant_to_proto(session.start),
        watermark=instant_to_proto(session.watermark),
        data_preset=session.data_preset,
        state=state,
        opened_at=instant_to_proto(session.opened_at),
        closed_at=instant_to_proto(session.closed_at),
        dataset_fingerprint=session.dataset_fingerprint,
    )


def session_from_proto(message: worldpb.Session) -> Session:
    return Session(
        session_id=message.session_id,
        world_id=message.world_id,
        domain=domain_from_proto(message.execution_domain, "execution_domain"),
        start=instant_from_proto(message.start, "start"),
        watermark=instant_from_proto(message.watermark, "watermark"),
        data_preset=message.data_preset,
        dataset_fingerprint=message.dataset_fingerprint,
        opened_at=instant_from_proto(message.opened_at, "opened_at"),
        closed_at=instant_from_proto(message.closed_at, "closed_at") if message.HasField("closed_at") else None,
    )


def gate_to_proto(gate: GateSession) -> worldpb.GateSession:
    return worldpb.GateSession(
        gateway_id=gate.gateway_id,
        boot_id=gate.boot_id,
        renewed_at=instant_to_proto(gate.renewed_at),
        ttl=span_to_proto(GATE_TTL),
        applied_revisions=dict(gate.applied),
    )


def gate_from_proto(message: worldpb.GateSession) -> GateSession:
    renewed_at = instant_from_proto(message.renewed_at, "renewed_at")
    return GateSession(message.gateway_id, message.boot_id, renewed_at, dict(message.applied_revisions))
