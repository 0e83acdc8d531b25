"""Follows an account's highest equity and opens its drawdown circuit."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import cash as accounts_cash
from brokerage.accounts import store as accounts_store
from brokerage.books.load import summed_desks
from brokerage.domain.accounts.account import Account
from brokerage.domain.risk.exposure_rules import drawn_down
from brokerage.market.context import MarketContext


def watch_drawdown(conn: Connection, house: MarketContext, account: Account, now_ns: int) -> None:
    """Follow an account's highest equity; too far below it the circuit opens, and stays so until an operator acts."""
    desks = summed_desks(conn, house, account)
    cash = accounts_cash.load_cash(conn, account.account).get(account.base_currency, 0)
    equity = cash + sum(desk.worth(account.base_currency) for desk in desks.values())
    peak = max(account.peak_equity or equity, equity)
    fallen = drawn_down(equity, peak, house.profile.limits.drawdown_max)
    opens = fallen and account.circuit_ns is None
    if opens or peak != account.peak_equity:
        circuit_ns = now_ns if opens else account.circuit_ns
        accounts_store.save_account(conn, replace(account, peak_equity=peak, circuit_ns=circuit_ns))
    if opens:
        detail = f"equity {equity} is too far below its highest, {peak}"
        audit.record(conn, now_ns, ("brokerage", ""), "drawdown_circuit", account.account, detail)
