"""Follows an account's highest equity and opens its drawdown circuit."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account
from brokerage.domain.money import money_text
from brokerage.domain.risk.exposure_rules import drawn_down
from brokerage.market.context import MarketContext


def watch_drawdown(conn: Connection, market: MarketContext, account: Account, now_ns: int) -> Account:
    """Follow an account's highest equity; too far below it the circuit opens, and stays so until an operator acts."""
    currency = account.base_currency
    equity = load_view(conn, market, account).equity()
    peak = max(account.peak_equity or equity, equity)
    fallen = drawn_down(equity, peak, market.limits.drawdown_max)
    opens = fallen and account.circuit_ns is None
    if opens or peak != account.peak_equity:
        account = replace(account, peak_equity=peak, circuit_ns=now_ns if opens else account.circuit_ns)
        accounts_store.save_account(conn, account)
    if opens:
        detail = f"equity {money_text(currency, equity)} is too far below its highest, {money_text(currency, peak)}"
        audit.record(conn, now_ns, ("brokerage", ""), "drawdown_circuit", account.account, detail)
    return account
