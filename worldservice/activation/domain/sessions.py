"""Which sessions of a world open and close with its activation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from qmtl.core.modes import ExecutionDomain, domain_of, orders_allowed
from worldservice.activation.domain.activation import Activation
from worldservice.worlds.domain.session import Session, SessionPlan, open_session


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
