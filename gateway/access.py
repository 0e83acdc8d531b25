"""What a caller may do in a world, as worldservice says it, remembered for as long as it allows.

A world that worldservice refuses or does not know is not remembered: a grant works at once, a revocation within the
answer's own ttl.
"""

from __future__ import annotations

from collections import OrderedDict

from gateway.peers import Peers
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import require_user, require_world, require_world_role
from qmtl.world.v1 import access_service_pb2 as accessservicepb

REMEMBERED_MAX = 10_000
CANCEL_PATIENCE_S = 1.0
AWAY = (Unavailable, DeadlineExceeded, Exhausted)


class Access:
    """Checks of the caller's role, one call to worldservice per (subject, world) and ttl."""

    def __init__(self, peers: Peers, clock: Clock) -> None:
        self._peers = peers
        self._clock = clock
        self._roles: OrderedDict[tuple[str, str], tuple[Role, float]] = OrderedDict()

    async def require(self, world_id: str, role: Role, timeout_s: float | None = None) -> str:
        """Demand a role of the calling user in a world, waiting `timeout_s` for worldservice; returns the subject.

        Raises NotFound (E_WORLD_UNKNOWN), PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unavailable.
        """
        identity = require_user()
        require_world(world_id)
        granted = await self._role(identity.token, world_id, timeout_s)
        require_world_role(world_id, role, granted)
        return identity.subject

    async def require_for_cancel(self, world_id: str) -> str:
        """Demand operator for an act that only narrows: it passes also while worldservice cannot be asked.

        Then the token's own role and what was last heard decide. Raises as `require`, but for Unavailable.
        """
        identity = require_user()
        require_world(world_id)
        try:
            granted = await self._role(identity.token, world_id, CANCEL_PATIENCE_S)
        except AWAY:
            granted = self._roles.get((identity.token, world_id), (Role.NONE, 0.0))[0]
        require_world_role(world_id, Role.OPERATOR, granted)
        return identity.subject

    async def _role(self, token: str, world_id: str, timeout_s: float | None) -> Role:
        remembered = self._roles.get((token, world_id))
        if remembered is not None and self._clock.monotonic() < remembered[1]:
            return remembered[0]
        asked = self._clock.monotonic()
        request = accessservicepb.GetEffectiveRoleRequest(world_id=world_id)
        answer = await self._peers.access.GetEffectiveRole(request, timeout=timeout_s)
        role = Role(answer.role)
        self._roles[token, world_id] = (role, asked + answer.ttl.ToTimedelta().total_seconds())
        while len(self._roles) > REMEMBERED_MAX:
            self._roles.popitem(last=False)
        return role
