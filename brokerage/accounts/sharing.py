"""Which worlds may use an account: each change audited in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store
from brokerage.audit import Actor
from brokerage.config import ACCOUNTS_MAX
from brokerage.domain.accounts.account import Account
from brokerage.fences import store as fences_store
from qmtl.core.errors import Exhausted, NotReady

InUse = Callable[[Connection, str, str], bool]
"""Whether a world holds or orders something in an account: positions and orders are other subjects' to know."""


def allow_world(
    conn: Connection, name: str, world_id: str, actor: Actor, now_ns: int, accounts_max: int = ACCOUNTS_MAX
) -> Account:
    """Let a world use an account. A repeat changes nothing.

    Raises NotFound (E_ACCOUNT_UNKNOWN), Exhausted (E_ACCOUNTS_LIMIT).
    """
    account = store.account(conn, name, lock=True)
    if not store.is_allowed(conn, name, world_id):
        require_room(conn, world_id, accounts_max)
        store.add_world(conn, name, world_id)
        audit.record(conn, now_ns, (actor.name, actor.correlation_id), "allow_world", name, f"world {world_id}")
    return account


def disallow_world(conn: Connection, name: str, world_id: str, actor: Actor, now_ns: int, in_use: InUse) -> Account:
    """End a world's use of an account that it neither holds nor orders anything in. A repeat changes nothing.

    Raises NotFound (E_ACCOUNT_UNKNOWN), NotReady (E_ACCOUNT_IN_USE).
    """
    account = store.account(conn, name, lock=True)
    if store.is_allowed(conn, name, world_id):
        if in_use(conn, name, world_id):
            raise NotReady(
                "E_ACCOUNT_IN_USE",
                f"world {world_id} holds or orders something in account {name}",
                hint="close its orders and positions first",
            )
        store.remove_world(conn, name, world_id)
        audit.record(conn, now_ns, (actor.name, actor.correlation_id), "disallow_world", name, f"world {world_id}")
    return account


def require_room(conn: Connection, world_id: str, accounts_max: int) -> None:
    """Raises Exhausted (E_ACCOUNTS_LIMIT) where a world uses as many accounts as it may."""
    fences_store.hold_fence(conn, world_id)  # two that are let in at once count one after the other
    if store.count_accounts(conn, world_id) >= accounts_max:
        raise Exhausted(
            "E_ACCOUNTS_LIMIT",
            f"world {world_id} has {accounts_max} paper accounts, the most it may",
            hint="trade on one that is open, or raise [brokerage] accounts_per_world_max",
        )
