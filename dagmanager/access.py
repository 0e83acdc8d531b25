"""Which worlds an answer may speak of: those of the caller's token."""

from __future__ import annotations

from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_role

Worlds = frozenset[str] | None
"""The worlds that may be seen; None is all of them."""


def reader_worlds() -> Worlds:
    """Demand a reader; the worlds its token is limited to, None for all. Raises PermissionDenied, Unauthenticated."""
    require_role(Role.READER)
    identity = current_call().identity
    return None if identity is None else identity.worlds
