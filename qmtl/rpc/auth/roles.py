"""The one lookup of roles in worlds and accounts: the token's role, or the world's own grant as worldservice says it.

The RPC is handed in, so that nothing here knows worldservice's contract. An answer is kept for as long as it allows;
a refusal or an unknown world is not, so that a grant works at once. Unreachable means refused, never allowed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

from google.protobuf.duration_pb2 import Duration

from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, NotFound, PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_all_worlds, require_user, require_world, require_world_role
from qmtl.rpc.auth.identity import Identity

REMEMBERED_MAX: Final = 10_000
CANCEL_PATIENCE_S: Final = 1.0
ACCOUNT: Final = "account:"  # no world's id has a colon
AWAY: Final = (Unavailable, DeadlineExceeded, Exhausted)


class EffectiveRole(Protocol):
    """The reply of worldservice's GetEffectiveRole: a role's number and how long it may be kept."""

    @property
    def role(self) -> int: ...

    @property
    def ttl(self) -> Duration: ...


class WorldRoles:
    """Checks of the calling user's role in worlds. A service acting for itself was checked by its grant."""

    def __init__(
        self, get_effective_role: Callable[..., Awaitable[EffectiveRole]], request: Callable[..., Any], clock: Clock
    ) -> None:
        """`get_effective_role` is the stub's method, `request` its request type with `world_id` and `account`."""
        self._get_effective_role = get_effective_role
        self._request = request
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Role, float]] = OrderedDict()

    async def require(self, world_id: str, role: Role) -> None:
        """Demand a role in a world; worldservice is asked only when the token alone is not enough.

        Raises PermissionDenied (E_WORLD_FORBIDDEN, E_ROLE_REQUIRED), Unauthenticated, Unavailable.
        """
        require_world(world_id)
        identity = current_call().identity
        if identity is None or identity.role >= role:
            require_world_role(world_id, role)
            return
        require_world_role(world_id, role, await self._granted(identity, world_id))

    async def require_each(self, worlds: Iterable[str], role: Role) -> None:
        """Demand a role in every one of the worlds; where there is none, for all at once. Raises as `require`."""
        wanted = sorted(set(worlds))
        if not wanted:
            require_all_worlds(role)
        for world_id in wanted:
            require_world(world_id)
        for world_id in wanted:
            await self.require(world_id, role)

    async def require_known(self, world_id: str, role: Role, timeout_s: float | None = None) -> str:
        """Demand a role of the calling user in a world that worldservice knows; returns the subject.

        Raises as `require`, and NotFound (E_WORLD_UNKNOWN).
        """
        identity = require_user()
        require_world(world_id)
        require_world_role(world_id, role, await self._ask(identity, world_id, timeout_s))
        return identity.subject

    async def require_for_cancel(self, world_id: str) -> str:
        """Demand operator for an act that only narrows: it passes also while worldservice cannot be asked.

        Then the token's own role and what was last heard decide. Returns the subject; raises as `require_known`, but
        for Unavailable.
        """
        identity = require_user()
        require_world(world_id)
        try:
            granted = await self._ask(identity, world_id, CANCEL_PATIENCE_S)
        except AWAY:
            granted = self._known.get((identity.token, world_id), (Role.NONE, 0.0))[0]
        require_world_role(world_id, Role.OPERATOR, granted)
        return identity.subject

    async def holds_in_account(self, account: str, role: Role) -> bool:
        """Whether the calling user has a role in an account by a grant of its own. Raises Unavailable.

        A token for some worlds has none; one with the role for the whole mesh is not asked about, worlds let it pass.
        """
        identity = current_call().identity
        if identity is None or identity.worlds is not None or identity.role >= role:
            return False
        try:
            return await self._ask(identity, ACCOUNT + account, None) >= role
        except (NotFound, PermissionDenied):
            return False

    async def _granted(self, identity: Identity, world_id: str) -> Role:
        try:
            return await self._ask(identity, world_id, None)
        except NotFound:
            return Role.NONE

    async def _ask(self, identity: Identity, scope: str, timeout_s: float | None) -> Role:
        """What worldservice says of a world or an account, or said within the time it allowed."""
        key = (identity.token, scope)
        asked = self._clock.monotonic()
        if (known := self._known.get(key)) is not None and asked < known[1]:
            return known[0]
        asked_for = {"account": scope.removeprefix(ACCOUNT)} if scope.startswith(ACCOUNT) else {"world_id": scope}
        answer = await self._get_effective_role(self._request(**asked_for), timeout=timeout_s)
        role = Role(answer.role)
        self._known[key] = (role, asked + answer.ttl.ToTimedelta().total_seconds())
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return role
