"""An account's own limits: set by revision, audited in the transaction that does it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import audit
from brokerage import schema as t
from brokerage.accounts import store
from brokerage.audit import Actor
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.limits import AccountLimits
from qmtl.core.errors import Conflict


def set_account_limits(conn: Connection, name: str, limits: AccountLimits, actor: Actor, now_ns: int) -> Account:
    """Store limits of a higher revision; a retry of the stored ones changes nothing.

    The account's row is locked, so that an order is judged wholly before or wholly after. Raises NotFound
    (E_ACCOUNT_UNKNOWN), Conflict (E_LIMITS_STALE).
    """
    account = store.account(conn, name, lock=True)
    if limits == account.limits:
        return account
    if limits.revision <= account.limits.revision:
        raise Conflict(
            "E_LIMITS_STALE",
            f"limits of account {name} stand at revision {account.limits.revision}, got {limits.revision}",
            metadata={"account": name, "revision": str(account.limits.revision)},
        )
    written = json.dumps(asdict(limits), sort_keys=True)
    table = t.account_limits
    conn.execute(sa.delete(table).where(table.c.account == name))
    conn.execute(sa.insert(table).values(account=name, revision=limits.revision, limits=written))
    audit.record(conn, now_ns, (actor.name, actor.correlation_id), "set_account_limits", name, written)
    return replace(account, limits=limits)
