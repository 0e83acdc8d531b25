"""Sessions of a world in a trading domain.

A world has at most one open session per domain; its start is the as_of of every ComputeKey in it and its
watermark only grows.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.core.errors import NotReady
from qmtl.core.identity.canonical import canonical_json, digest
from qmtl.core.modes import ExecutionDomain


@dataclass(frozen=True, slots=True)
class Session:
    """One run of a world in a trading domain."""

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


def open_session(world_id: str, domain: ExecutionDomain, plan: SessionPlan, now: datetime) -> Session:
    """A session that begins now; its id begins with its world."""
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
