"""Activations, operator changes, sessions and gate sessions as messages of the contract, and back."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import refused
from qmtl.core.modes import domain_of
from qmtl.wire.fields import enum_from_proto
from qmtl.wire.instants import instant_from_proto, instant_to_proto, span_to_proto
from qmtl.wire.limits import limits_from_proto, limits_to_proto
from qmtl.wire.windows import windows_of_record, windows_to_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import gate_pb2 as gatepb
from qmtl.world.v1 import session_pb2 as sessionpb
from worldservice.activation.domain.activation import Activation, Entry, Fence, FenceState, Phase
from worldservice.activation.domain.gate_session import GateSession
from worldservice.activation.domain.history import ActivationRecord
from worldservice.activation.domain.operator_changes import Change
from worldservice.timing import GATE_TTL
from worldservice.worlds.domain.binding import Side
from worldservice.worlds.domain.session import Session
from worldservice.worlds.wire import (
    domain_to_proto,
    mode_from_proto,
    mode_to_proto,
    side_from_proto,
    side_to_proto,
    stage_from_proto,
)


def change_from_proto(message: activationpb.ActivationChange, field: str) -> Change:
    """An absent field keeps its value. Raises InvalidRequest."""
    return Change(
        strategy_id=message.strategy_id,
        side=side_from_proto(message.side, f"{field}.side"),
        active=message.active if message.HasField("active") else None,
        weight=weight_from_proto(message.weight, f"{field}.weight") if message.HasField("weight") else None,
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


def weight_to_proto(weight: float) -> str:
    """The shortest decimal that is read as the same weight."""
    return format_decimal(Decimal(repr(weight)))


def weight_from_proto(text: str, field: str) -> float:
    """Raises InvalidRequest (E_DECIMAL, E_WEIGHT)."""
    share = parse_decimal(text, field)
    if not 0 <= share <= 1:
        raise refused("E_WEIGHT", field, text, "a decimal from 0 to 1")
    return float(share)


def entry_to_proto(entry: Entry) -> activationpb.ActivationEntry:
    return activationpb.ActivationEntry(
        strategy_id=entry.strategy_id,
        side=side_to_proto(entry.side),
        active=entry.active,
        weight=weight_to_proto(entry.weight),
        freeze=entry.freeze,
        drain=entry.drain,
        valid_from=instant_to_proto(entry.valid_from),
        valid_until=instant_to_proto(entry.valid_until),
        changed_at=instant_to_proto(entry.changed_at),
        run_id=entry.run_id,
        effective_mode=mode_to_proto(entry.effective_mode),
        live_since=instant_to_proto(entry.live_since),
    )


def entry_from_proto(message: activationpb.ActivationEntry) -> Entry:
    """Raises InvalidRequest (E_ENUM, E_DECIMAL, E_WEIGHT, E_TIMESTAMP)."""
    has_from, has_until = message.HasField("valid_from"), message.HasField("valid_until")
    return Entry(
        strategy_id=message.strategy_id,
        side=side_from_proto(message.side, "entries.side"),
        active=message.active,
        weight=weight_from_proto(message.weight, "entries.weight"),
        freeze=message.freeze,
        drain=message.drain,
        valid_from=instant_from_proto(message.valid_from, "entries.valid_from") if has_from else None,
        valid_until=instant_from_proto(message.valid_until, "entries.valid_until") if has_until else None,
        changed_at=instant_from_proto(message.changed_at, "entries.changed_at"),
        run_id=message.run_id,
        effective_mode=mode_from_proto(message.effective_mode, "entries.effective_mode"),
        live_since=instant_from_proto(message.live_since, "entries.live_since")
        if message.HasField("live_since")
        else None,
    )


def activation_to_proto(activation: Activation, sessions: Sequence[Session]) -> activationpb.ActivationEnvelope:
    """The envelope as gateways and clients get it."""
    return activationpb.ActivationEnvelope(
        world_id=activation.world_id,
        world_revision=activation.revision,
        previous_world_revision=max(0, activation.revision - 1),
        entries=[entry_to_proto(entry) for entry in activation.entries],
        etag=activation.etag,
        state_hash=activation.state_hash,
        effective_mode=mode_to_proto(activation.effective_mode),
        fence_epoch=activation.fence.epoch,
        run_id=activation.run_id,
        apply_sequence=activation.sequence,
        phase=f"APPLY_PHASE_{activation.phase.name}",
        requires_ack=activation.requires_ack,
        time=instant_to_proto(activation.time),
        execution_domain=domain_to_proto(domain_of(activation.effective_mode)),
        fence_pending=activation.fence.pending,
        sessions=[session_to_proto(session) for session in sessions],
        windows=windows_to_proto(activation.windows),
        limits=limits_to_proto(activation.fence.limits),
    )


def session_to_proto(session: Session) -> sessionpb.Session:
    state = sessionpb.SESSION_STATE_OPEN if session.closed_at is None else sessionpb.SESSION_STATE_CLOSED
    return sessionpb.Session(
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


def gate_to_proto(gate: GateSession) -> gatepb.GateSession:
    """The session, with the time it is trusted for."""
    return gatepb.GateSession(
        gateway_id=gate.gateway_id,
        boot_id=gate.boot_id,
        renewed_at=instant_to_proto(gate.renewed_at),
        ttl=span_to_proto(GATE_TTL),
        applied_world_revisions=dict(gate.applied),
    )


def record_to_proto(record: ActivationRecord) -> activationpb.ActivationRecord:
    """A change of the activation as the audit log keeps it."""
    fence = record.fence
    return activationpb.ActivationRecord(
        world_revision=record.revision,
        whole=record.whole,
        entries=[entry_to_proto(entry) for entry in record.entries],
        removed=_keys(record.removed),
        fence_epoch=fence.epoch,
        fence_state=f"FENCE_STATE_{fence.state.name}",
        effective_mode=mode_to_proto(fence.effective_mode),
        confirmed_fence_epoch=fence.confirmed_epoch,
        run_id=record.run_id,
        apply_sequence=record.sequence,
        phase=f"APPLY_PHASE_{record.phase.name}",
        requires_ack=record.requires_ack,
        time=instant_to_proto(record.time),
        windows=windows_to_proto(record.windows),
        limits=limits_to_proto(fence.limits),
        may_add=_keys(sorted(fence.standings, key=lambda key: (key[0], key[1].value))),
        may_not_add=_keys(record.may_not_add),
        state_hash=record.state_hash,
    )


def record_from_proto(message: activationpb.ActivationRecord) -> ActivationRecord:
    """A record of the audit log. Raises InvalidRequest for one that is not of this contract."""
    state = enum_from_proto(message.fence_state, fencepb.FenceState, "FENCE_STATE_", FenceState, "fence_state")
    mode = mode_from_proto(message.effective_mode, "effective_mode")
    return ActivationRecord(
        revision=message.world_revision,
        whole=message.whole,
        entries=tuple(entry_from_proto(entry) for entry in message.entries),
        removed=_keys_of(message.removed, "removed.side"),
        fence=Fence(
            epoch=message.fence_epoch,
            state=state,
            effective_mode=mode,
            confirmed_epoch=message.confirmed_fence_epoch,
            limits=limits_from_proto(message.limits),
            standings=frozenset(_keys_of(message.may_add, "may_add.side")),
        ),
        may_not_add=_keys_of(message.may_not_add, "may_not_add.side"),
        run_id=message.run_id,
        sequence=message.apply_sequence,
        phase=enum_from_proto(message.phase, activationpb.ApplyPhase, "APPLY_PHASE_", Phase, "phase"),
        requires_ack=message.requires_ack,
        time=instant_from_proto(message.time, "time"),
        windows=windows_of_record(message.windows),
        state_hash=message.state_hash,
    )


def _keys(keys: Iterable[tuple[str, Side]]) -> list[activationpb.ActivationKey]:
    return [activationpb.ActivationKey(strategy_id=name, side=side_to_proto(side)) for name, side in keys]


def _keys_of(messages: Iterable[activationpb.ActivationKey], field: str) -> tuple[tuple[str, Side], ...]:
    return tuple((key.strategy_id, side_from_proto(key.side, field)) for key in messages)
