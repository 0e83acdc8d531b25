"""Sessions of a world in a trading domain.

A world has at most one open session per domain; its start is the as_of of every ComputeKey in it and its
watermark only grows.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.core.errors import NotReady
from qmtl.core.identity import canonical_json, digest
from qmtl.core.modes import ExecutionDomain, domain_of, orders_allowed
from worldservice.domain.activation import Activation
from worldservice.domain.pipeline import DataState


@dataclass(frozen=True, slots=True)
class Session:
    session_id: str
    world_id: str
    domain: ExecutionDomain
    start: datetime
    watermark: datetime
    data_preset: str
    dataset_fingerprint: str
    opened_at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session starts from when it has to be opened."""

    start: datetime
    data_preset: str
    dataset_fingerprint: str


def domains_entered(activation: Activation) -> frozenset[ExecutionDomain]:
    """The trading domains some strategy of the world is in."""
    domains = {domain_of(entry.effective_mode) for entry in activation.entries}
    return frozenset(domain for domain in domains if orders_allowed(domain))


def follow(
    activation: Activation, open_sessions: tuple[Session, ...], plan: SessionPlan, now: datetime
) -> tuple[Session, ...]:
    """The sessions that have to change: opened for a domain first entered, closed for one the last has left."""
    wanted = domains_entered(activation)
    have = {session.domain for session in open_sessions}
    opened = [open_session(activation.world_id, domain, plan, now) for domain in wanted - have]
    closed = [replace(session, closed_at=now) for session in open_sessions if session.domain not in wanted]
    return tuple(sorted((*opened, *closed), key=lambda session: session.session_id))


def open_session(world_id: str, domain: ExecutionDomain, plan: SessionPlan, now: datetime) -> Session:
    # seamless reads the world from this form of the name: it holds tokens limited to worlds to their sessions
    identity = digest(canonical_json([world_id, domain.value, now.isoformat()]))
    session_id = f"{world_id}-{domain.value.lower()}-{identity.removeprefix('blake3:')[:12]}"
    return Session(
        session_id, world_id, domain, plan.start, plan.start, plan.data_preset, plan.dataset_fingerprint, now
    )


def advance(session: Session, watermark: datetime) -> Session:
    """The session with a watermark that never goes back. Raises NotReady (E_SESSION_CLOSED)."""
    if session.closed_at is not None:
        raise NotReady("E_SESSION_CLOSED", f"session {session.session_id} is closed", hint="ask for the open one")
    return replace(session, watermark=max(session.watermark, watermark))


def data_state(
    now: datetime, evaluated_end: datetime | None, open_sessions: tuple[Session, ...], *, replay: bool
) -> DataState:
    """How current a world's data is: a replay is measured against its own session's watermark, not the wall clock."""
    newest = max((session.watermark for session in open_sessions), default=None)
    if replay:
        data_end = newest or evaluated_end
        return DataState(data_end or now, data_end)
    ends = [end for end in (newest, evaluated_end) if end is not None]
    return DataState(now, max(ends, default=None))
