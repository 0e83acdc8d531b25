"""Changes an account's trading state, audited in the transaction that does it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store
from brokerage.audit import Actor
from brokerage.domain.accounts.account import Account, TradingState
from qmtl.core.errors import NotReady


def set_trading_state(
    conn: Connection, name: str, state: TradingState, reason: str, actor: Actor, now_ns: int
) -> Account:
    """Change an account's trading state; ACTIVE closes its drawdown circuit.

    Raises NotFound (E_ACCOUNT_UNKNOWN), NotReady (E_VENUE_NOT_COMPARED).
    """
    changed = replace(store.account(conn, name, lock=True), trading_state=state)
    if state is TradingState.ACTIVE and store.awaits_comparison(conn, name):
        raise NotReady(
            "E_VENUE_NOT_COMPARED",
            f"account {name} has never been compared with {changed.venue} without a difference",
            hint="qmtl venues status tells what differs; it becomes ACTIVE by itself once nothing does",
        )
    if state is TradingState.ACTIVE:
        changed = replace(changed, circuit_ns=None, peak_equity=None)
    store.save_account(conn, changed)
    detail = f"{state.value}: {reason}"
    audit.record(conn, now_ns, (actor.name, actor.correlation_id), "set_trading_state", name, detail)
    return changed
