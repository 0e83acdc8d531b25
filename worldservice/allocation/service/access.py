"""Who may read or set what an account's worlds get: by a role in the account and, of each world, by one in it too."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from worldservice.worlds.acts import Act, unread_worlds, world_to_write
from worldservice.worlds.domain.roles import Caller, account_scope, require_account_role
from worldservice.worlds.store.roles import grants_of
from worldservice.worlds.store.worlds import find_world


def account_to_read(conn: Connection, caller: Caller, account: str) -> None:
    """Raises PermissionDenied."""
    require_account_role(caller, account, Role.READER, grants_of(conn, account_scope(account)))


def worlds_to_read(conn: Connection, caller: Caller, world_ids: Iterable[str]) -> None:
    """Raises PermissionDenied (E_ROLE_REQUIRED) naming every world that the caller may not read."""
    if hidden := sorted(unread_worlds(conn, caller, world_ids)):
        raise PermissionDenied(
            "E_ROLE_REQUIRED",
            f"{caller.subject} is none in {', '.join(hidden[:20])}, want reader of every world that is shown",
            hint="ask an owner of each for a grant",
            metadata={"world_id": hidden[0], "role": Role.READER.name.lower()},
        )


def account_to_write(conn: Connection, act: Act, account: str, worlds: Iterable[str], want: Role) -> None:
    """A role in the account, and operator in each world. Raises PermissionDenied, NotFound (E_WORLD_UNKNOWN)."""
    require_account_role(act.caller, account, want, grants_of(conn, account_scope(account)))
    for world_id in sorted(set(worlds)):
        world_to_write(conn, replace(act, world_id=world_id), Role.OPERATOR)


def worlds_of_set(conn: Connection, served: Iterable[str], named: Collection[str]) -> list[str]:
    """The worlds that a set speaks of: also those that it leaves out, for their share is 0. One that never was is
    nobody's.
    """
    return [one for one in served if one in named or find_world(conn, one) is not None]


def of_account(act: Act, account: str) -> Act:
    """The act as it is audited: what is done to an account is no world's."""
    return replace(act, world_id=account_scope(account))


def shown_set(message: allocationpb.AllocationSet, hidden: Collection[str]) -> allocationpb.AllocationSet:
    """A set without the strategies of worlds that the reader may not read; shares of worlds are the account's."""
    kept = [row for row in message.strategies if row.world_id not in hidden]
    del message.strategies[:]
    message.strategies.extend(kept)
    return message


def shown_run(message: rebalancepb.RebalanceRun, hidden: Collection[str]) -> rebalancepb.RebalanceRun:
    """A run without its plan; of one that has hidden worlds only state, times and people."""
    if hidden and set(message.world_ids) & set(hidden):
        for field in ("plan", "request", "progress", "reasons"):
            message.ClearField(field)
        kept = [world_id for world_id in message.world_ids if world_id not in hidden]
        del message.world_ids[:]
        message.world_ids.extend(kept)
    return message
