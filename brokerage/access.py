"""Who may do what with an account: the token's role, or the world's own grant as worldservice says it.

worldservice is asked only when the token alone is not enough; unreachable then means refused, never allowed.
"""

from __future__ import annotations

from qmtl.core.errors import NotFound
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_world, require_world_role
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc


class Access:
    """Checks of the calling user's role in a world. A service acting for itself was checked by its grant."""

    def __init__(self, world: accessrpc.AccessServiceAsyncStub) -> None:
        self._world = world

    async def require(self, world_id: str, role: Role) -> None:
        """Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unauthenticated, Unavailable."""
        require_world(world_id)
        identity = current_call().identity
        if identity is None or identity.role >= role:
            require_world_role(world_id, role)
            return
        require_world_role(world_id, role, await self._granted(world_id))

    async def _granted(self, world_id: str) -> Role:
        try:
            answer = await self._world.GetEffectiveRole(accessservicepb.GetEffectiveRoleRequest(world_id=world_id))
        except NotFound:
            return Role.NONE
        return Role(answer.role)
