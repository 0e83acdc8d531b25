"""Who is calling, for how long, under which ids: one value per inbound call, readable anywhere below it.

Outside a call `current_call()` is an anonymous one that nothing is allowed to: checks fail closed.
World checks here are about the token only; grants stored per world are worldservice's to add.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from qmtl.core.errors import PermissionDenied, Unauthenticated, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.chunks import Stated


@dataclass(frozen=True, slots=True)
class Call:
    """One inbound call. `deadline` is on `time.monotonic`'s scale; None: the caller waits for ever.

    `stated` is what the caller said of a payload that it sends in chunks.
    """

    method: str = ""
    request_id: str = ""
    correlation_id: str = ""
    identity: Identity | None = None
    service: ServiceIdentity | None = None
    deadline: float | None = None
    peer: str = ""
    stated: Stated | None = None

    def remaining_s(self) -> float | None:
        """Seconds left, never negative; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def actor(self) -> str:
        """Whom to write into an audit row: the user, or the service acting for itself."""
        if self.identity is not None:
            return self.identity.subject
        return f"service:{self.service.name}" if self.service is not None else ""


_NOBODY = Call()
_current: ContextVar[Call] = ContextVar("qmtl_call", default=_NOBODY)


def current_call() -> Call:
    """The inbound call this code runs under; the anonymous call when there is none."""
    return _current.get()


def enter_call(call: Call) -> None:
    """Make `call` current for the rest of this task: an RPC is a task of its own, so nothing needs undoing."""
    _current.set(call)


@contextmanager
def own_act() -> Iterator[None]:
    """Run a block as the service itself: calls made in it carry no user token and no inbound deadline."""
    token = _current.set(_NOBODY)
    try:
        yield
    finally:
        _current.reset(token)


def require_user() -> Identity:
    """The calling user. Raises Unauthenticated (E_TOKEN_MISSING)."""
    identity = current_call().identity
    if identity is None:
        raise Unauthenticated(
            "E_TOKEN_MISSING", "this call needs a user token", hint="send metadata authorization: Bearer <token>"
        )
    return identity


def require_stated() -> Stated:
    """What the caller said of the payload it sends in chunks. Raises InvalidRequest (E_TOTAL_BYTES)."""
    said = current_call().stated
    if said is None:
        raise refused("E_TOTAL_BYTES", "the call", "of a method without chunks", "one that states its payload")
    return said


def require_service() -> ServiceIdentity:
    """The calling service. Raises PermissionDenied (E_SERVICE_REQUIRED)."""
    service = current_call().service
    if service is None:
        raise PermissionDenied("E_SERVICE_REQUIRED", "this call needs a service token")
    return service


def require_world(world_id: str) -> None:
    """Refuse a user token limited to other worlds. Raises PermissionDenied (E_WORLD_FORBIDDEN).

    A service acting for itself passes: its grant was checked when the call came in.
    """
    call = current_call()
    if call.identity is None:
        if call.service is None:
            require_user()
        return
    worlds = call.identity.worlds
    if worlds is not None and world_id not in worlds:
        raise PermissionDenied(
            "E_WORLD_FORBIDDEN",
            f"the token of {call.identity.subject} is not for world {world_id!r}",
            hint="use a token whose worlds claim lists it",
            metadata={"world_id": world_id},
        )


def require_world_role(world_id: str, role: Role, granted: Role = Role.NONE) -> None:
    """Demand a role in a world: the larger of the token's and `granted`, the world's own grant to this subject.

    Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED).
    """
    require_world(world_id)
    require_role(role, granted, world_id)


def require_role(role: Role, granted: Role = Role.NONE, world_id: str = "") -> None:
    """Demand a role of the calling user in the whole mesh. Raises PermissionDenied (E_ROLE_REQUIRED)."""
    call = current_call()
    if call.identity is None and call.service is not None:
        return
    identity = require_user()
    held = max(identity.role, granted)
    if held < role:
        where = f" in world {world_id!r}" if world_id else ""
        raise PermissionDenied(
            "E_ROLE_REQUIRED",
            f"{identity.subject} is {held.name.lower()}{where}, want {role.name.lower()}",
            hint=f"use a token with the role {role.name.lower()} or have it granted",
            metadata={"world_id": world_id, "role": role.name.lower()} if world_id else {"role": role.name.lower()},
        )


def is_for_world(world_id: str) -> bool:
    """Whether the caller's token is for this world; what belongs to others is as unknown to it as what is not there."""
    identity = current_call().identity
    return identity is None or identity.worlds is None or world_id in identity.worlds


def require_all_worlds(role: Role) -> None:
    """Demand a role for what concerns every world: a token for some worlds has none there.

    Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unauthenticated.
    """
    identity = current_call().identity
    if identity is not None and identity.worlds is not None:
        raise PermissionDenied(
            "E_WORLD_FORBIDDEN",
            f"the token of {identity.subject} is for some worlds, and this concerns all",
            hint="use a token without a worlds claim",
        )
    require_role(role)
