"""Who may read or change an account: by a role in the account itself, or in all worlds that may use it.

Of an account that no world may use it is who has the role in the whole mesh.
"""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.accounts import store
from brokerage.domain.accounts.account import Account
from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.sql.database import Database


class AccountAccess:
    """Loads accounts for callers that have a role in their worlds."""

    def __init__(self, db: Database, roles: WorldRoles) -> None:
        self._db = db
        self._roles = roles

    async def readable(self, name: str, world_id: str = "") -> Account:
        """The account for who reads the world asked for, or where none is the account itself or all of its worlds.

        Raises NotFound (E_ACCOUNT_UNKNOWN), PermissionDenied, Unavailable.
        """
        account = await self._db.read(lambda conn: store.account(conn, name, world_id))
        if not world_id and await self._roles.holds_in_account(name, Role.READER):
            return account
        await self._roles.require_each((world_id,) if world_id else await self.worlds(name), Role.READER)
        return account

    async def operable(self, name: str, *more: str) -> Account:
        """The account for who operates it or all of its worlds, and `more` worlds. Raises as `readable`."""
        account = await self._db.read(lambda conn: store.account(conn, name))
        if not await self._roles.holds_in_account(name, Role.OPERATOR):
            await self._roles.require_each(await self.worlds(name), Role.OPERATOR)
        for world in more:
            await self._roles.require(world, Role.OPERATOR)
        return account

    async def worlds(self, name: str) -> tuple[str, ...]:
        """Worlds that may use an account."""
        return (await self._db.read(lambda conn: store.worlds_of(conn, [name])))[name]

    async def in_no_world_and_readable(self, name: str) -> bool:
        """Whether an account is no world's, and the caller reads the whole mesh."""
        if await self.worlds(name):
            return False
        try:
            await self._roles.require_each((), Role.READER)
        except PermissionDenied:
            return False
        return True

    async def readable_worlds(self, worlds: Iterable[str]) -> list[str]:
        """Those of these worlds that the caller may read."""
        return [world for world in worlds if await self._may_read(world)]

    async def _may_read(self, world_id: str) -> bool:
        try:
            await self._roles.require(world_id, Role.READER)
        except PermissionDenied:
            return False
        return True


def may_hear_of(world_id: str) -> bool:
    """Whether the token alone lets the caller see that a world has something here; asks nobody, for a status."""
    identity = current_call().identity
    if identity is None:
        return True
    return identity.role >= Role.READER if identity.worlds is None else world_id in identity.worlds
