"""Changes an account's trading state, audited in the transaction that does it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store
from brokerage.audit import Actor
from brokerage.domain.accounts.account import Account, TradingState


def set_trading_state(
    conn: Connection, name: str, state: TradingState, reason: str, actor: Actor, now_ns: int
) -> Account:
    """Change an account's trading state; ACTIVE closes its drawdown circuit. Raises NotFound (E_ACCOUNT_UNKNOWN)."""
    changed = replace(store.account(conn, name, lock=True), trading_state=state)
    if state is TradingState.ACTIVE:
        changed = replace(changed, circuit_ns=None, peak_equity=None)
    store.save_account(conn, changed)
    detail = f"{state.value}: {reason}"
    audit.record(conn, now_ns, (actor.name, actor.correlation_id), "set_trading_state", name, detail)
    return changed
