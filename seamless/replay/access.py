"""Who may touch a data session: the token's role, or the grant of the session's world as worldservice says it.

worldservice names a world's sessions `<world>-<domain>-<12 hex>`, so the name says whose grants count; a session of
any other name is for tokens without a limit to worlds. worldservice is asked only when the token alone is not enough,
and its answer is kept for as long as it allows. While it is away, writes are refused; a token that is limited to the
session's world reads on.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, NotFound, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_role, require_world, require_world_role
from qmtl.rpc.auth.identity import Identity
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc

REMEMBERED_MAX = 10_000
AWAY = (Unavailable, DeadlineExceeded, Exhausted)
_OF_A_WORLD = re.compile(r"(?P<world>.+)-(dryrun|live)-[0-9a-f]{12}", re.ASCII)


class SessionAccess:
    """Checks of the calling user. A service acting for itself was checked by its grant."""

    def __init__(self, world: accessrpc.AccessServiceAsyncStub, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._roles: OrderedDict[tuple[str, str], tuple[Role, float]] = OrderedDict()

    async def require(self, session_id: str, role: Role) -> None:
        """Demand a role for a session. Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unavailable."""
        named = _OF_A_WORLD.fullmatch(session_id)
        world_id = named["world"] if named else ""
        require_world(world_id)
        identity = current_call().identity
        if identity is None or identity.role >= role or not world_id:
            require_role(role, world_id=world_id)
            return
        require_world_role(world_id, role, await self._granted(identity, world_id, role))

    async def _granted(self, identity: Identity, world_id: str, role: Role) -> Role:
        try:
            return await self._role(identity.token, world_id)
        except NotFound:
            return Role.NONE
        except AWAY:
            if role <= Role.READER and identity.worlds is not None:  # of this world: its name was checked
                return Role.READER
            raise

    async def _role(self, token: str, world_id: str) -> Role:
        remembered = self._roles.get((token, world_id))
        asked = self._clock.monotonic()
        if remembered is not None and asked < remembered[1]:
            return remembered[0]
        answer = await self._world.GetEffectiveRole(accessservicepb.GetEffectiveRoleRequest(world_id=world_id))
        role = Role(answer.role)
        self._roles[token, world_id] = (role, asked + answer.ttl.ToTimedelta().total_seconds())
        while len(self._roles) > REMEMBERED_MAX:
            self._roles.popitem(last=False)
        return role
