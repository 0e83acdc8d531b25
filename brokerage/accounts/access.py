"""Which accounts a caller may hear of."""

from __future__ import annotations

from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call


def may_hear_of(world_id: str) -> bool:
    """Whether the token alone lets the caller see that a world has something here; asks nobody, for a status."""
    identity = current_call().identity
    if identity is None:
        return True
    return identity.role >= Role.READER if identity.worlds is None else world_id in identity.worlds
