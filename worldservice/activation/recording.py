"""Stores an activation that moved on, with its sessions, audit record, history and event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from qmtl.sql.database import signal
from qmtl.world.v1 import activation_pb2 as activationpb
from worldservice.activation.domain.activation import Activation, can_trade
from worldservice.activation.domain.history import record_of
from worldservice.activation.domain.sessions import follow
from worldservice.activation.events import activation_updated
from worldservice.activation.store import activations
from worldservice.activation.wire import activation_to_proto, record_to_proto
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts
from worldservice.tables import outbox
from worldservice.worlds.acts import OK, Act, audit_row
from worldservice.worlds.domain.audit import Recorded
from worldservice.worlds.domain.session import SessionPlan
from worldservice.worlds.domain.world import Effect, World, is_replay
from worldservice.worlds.store import sessions as sessions_store
from worldservice.worlds.store.audit import append_audit, recorded_revision

ACTIVATION_SIGNAL = "activation"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What a world came to: its decision with the reports, and its activation."""

    verdicts: Verdicts
    activation: Activation
    could_trade: bool  # something could before
    envelope: activationpb.ActivationEnvelope | None = None  # as published; None: nothing changed

    @property
    def effect(self) -> Effect:
        """What a caller outside of activation needs to know."""
        return Effect(self.could_trade, self.activation.fence.pending)


def record_activation(
    conn: Connection,
    world: World,
    settings: DecisionSettings,
    act: Act,
    verdicts: Verdicts,
    before: Activation,
    after: Activation,
) -> Narrowed:
    """Store an activation that moved on, with its sessions, its place in the history and its event."""
    could_trade = any(can_trade(entry) for entry in before.entries)
    if after is before:
        return Narrowed(verdicts, after, could_trade)
    open_now = sessions_store.open_sessions(conn, world.world_id)
    for session in follow(after, open_now, session_plan(world, settings, verdicts, act.now), act.now):
        sessions_store.save_session(conn, session)
    open_now = sessions_store.open_sessions(conn, world.world_id)
    activations.save_activation(conn, after)
    audit_change(conn, act, before, after)
    envelope = activation_to_proto(after, open_now)
    activations.append_history(conn, world.world_id, after.revision, envelope.SerializeToString(deterministic=True))
    outbox.append(conn, activation_updated(envelope, act))
    signal(conn, ACTIVATION_SIGNAL)
    return Narrowed(verdicts, after, could_trade, envelope)


def session_plan(world: World, settings: DecisionSettings, verdicts: Verdicts, now: datetime) -> SessionPlan:
    """A live session starts now; a replay starts where the evaluated data ends, so that it plays what is new."""
    decision = verdicts.decision
    start = decision.data_end or now if is_replay(world, settings.replay_presets) else now
    preset = world.data_presets[0] if world.data_presets else ""
    return SessionPlan(start, preset, decision.dataset_fingerprint)


def audit_change(conn: Connection, act: Act, before: Activation, after: Activation) -> None:
    """Audit what became of the activation, so that the log alone leads to it."""
    record = record_of(before, after, recorded_revision(conn, after.world_id))
    shown = after.state_hash[: len("blake3:") + 8]  # whole in the record
    detail = f"revision {after.revision}, epoch {after.fence.epoch}, state {shown}"
    event = "ActivationChanged" if after.revision != before.revision else "FenceConfirmed"
    kept = Recorded(record.revision, record.whole, record_to_proto(record).SerializeToString(deterministic=True))
    append_audit(conn, replace(audit_row(act, OK, detail), event=event, request="", record=kept))
