"""Who may change what in which world: the token's role, or the world's own grant as worldservice says it.

worldservice is asked only when the token alone is not enough; unreachable then means refused, never allowed.
"""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.errors import NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_role, require_world, require_world_role
from qmtl.world.v1 import service_pb2 as worldpb
from qmtl.world.v1 import service_pb2_grpc as worldrpc

Worlds = frozenset[str] | None


class Access:
    """Checks of the calling user. A service acting for itself was checked by its grant."""

    def __init__(self, world: worldrpc.WorldServiceAsyncStub) -> None:
        self._world = world

    async def require(self, worlds: Iterable[str], role: Role) -> None:
        """Demand a role in every one of the worlds; where there is none, in the estate.

        Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unauthenticated, Unavailable.
        """
        wanted = sorted(set(worlds))
        if not wanted:
            require_estate(role)
        for world_id in wanted:
            require_world(world_id)
        for world_id in wanted:
            await self._require_one(world_id, role)

    async def _require_one(self, world_id: str, role: Role) -> None:
        identity = current_call().identity
        if identity is None or identity.role >= role:
            require_world_role(world_id, role)
            return
        require_world_role(world_id, role, await self._granted(world_id))

    async def _granted(self, world_id: str) -> Role:
        try:
            answer = await self._world.GetEffectiveRole(worldpb.GetEffectiveRoleRequest(world_id=world_id))
        except NotFound:
            return Role.NONE
        return Role(answer.role)


def require_estate(role: Role) -> None:
    """Demand a role for what concerns every world: a token for some worlds has none there.

    Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unauthenticated.
    """
    identity = current_call().identity
    if identity is not None and identity.worlds is not None:
        raise PermissionDenied(
            "E_WORLD_FORBIDDEN",
            f"the token of {identity.subject} is for some worlds, and this concerns all",
            hint="name queues of your worlds, or use a token without a worlds claim",
        )
    require_role(role)


def in_token(world_id: str) -> bool:
    """Whether the caller's token is for this world; the others' names and keys are as unknown to it as none."""
    identity = current_call().identity
    return identity is None or identity.worlds is None or world_id in identity.worlds
