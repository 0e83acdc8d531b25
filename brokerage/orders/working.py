"""Loads the orders that are to be worked into the books of their owners."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.market.context import MarketContext
from brokerage.orders import store


def load_orders(
    conn: Connection, market: MarketContext, account: Account, owner: Owner, *order_ids: str
) -> tuple[AccountView, StrategyBook]:
    """An account, and the book of one owner with these orders in it."""
    view = load_view(conn, market, account)
    book = view.book(owner)
    book.recall(store.records(conn, market.instruments, order_ids))
    return view, book


def load_open_orders(conn: Connection, market: MarketContext, account: Account) -> AccountView:
    """An account with all its open orders in the books of their owners."""
    view = load_view(conn, market, account)
    for record in store.open_records(conn, market.instruments, account.account):
        view.book(record.order.owner).recall([record])
    return view
