"""Who may read or set what an account's worlds get: by a role in the account, and to write in each world too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.roles import Role
from worldservice.worlds.acts import Act, world_to_write
from worldservice.worlds.domain.roles import Caller, account_scope, require_account_role
from worldservice.worlds.store.roles import grants_of


def account_to_read(conn: Connection, caller: Caller, account: str) -> None:
    """Raises PermissionDenied."""
    require_account_role(caller, account, Role.READER, grants_of(conn, account_scope(account)))


def account_to_write(conn: Connection, act: Act, account: str, worlds: Iterable[str], want: Role) -> None:
    """A role in the account, and operator in each world. Raises PermissionDenied, NotFound (E_WORLD_UNKNOWN)."""
    require_account_role(act.caller, account, want, grants_of(conn, account_scope(account)))
    for world_id in sorted(set(worlds)):
        world_to_write(conn, replace(act, world_id=world_id), Role.OPERATOR)


def of_account(act: Act, account: str) -> Act:
    """The act as it is audited: what is done to an account is no world's."""
    return replace(act, world_id=account_scope(account))
