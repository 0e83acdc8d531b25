"""Loads the orders that are to be worked into the books of their owners."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.risk.account_view import AccountView
from brokerage.market.context import MarketContext
from brokerage.orders import store


def load_orders(
    conn: Connection, market: MarketContext, account: Account, owner: Owner, *order_ids: str
) -> tuple[AccountView, StrategyBook]:
    """An account, and the book of one owner with these orders in it."""
    view = load_view(conn, market, account)
    book = view.book(owner)
    records = store.records(conn, market.instruments, order_ids)
    book.recall(records)
    recall_lists(conn, market, view, records)
    return view, book


def recall_lists(conn: Connection, market: MarketContext, view: AccountView, records: Iterable[OrderRecord]) -> None:
    """Load the orders that these are tied to, ended ones too: what they may do depends on them."""
    lists: dict[str, set[str]] = {}
    for record in records:
        if record.order.list_id:
            lists.setdefault(record.order.owner.account, set()).add(record.order.list_id)
    for account_name, list_ids in lists.items():
        for record in store.records_of_lists(conn, market.instruments, account_name, sorted(list_ids)):
            book = view.book(record.order.owner)
            if record.id not in book.records:
                book.recall([record])


def load_open_orders(conn: Connection, market: MarketContext, account: Account) -> AccountView:
    """An account with all its open orders in the books of their owners."""
    view = load_view(conn, market, account)
    records = store.open_records(conn, market.instruments, account.account)
    for record in records:
        view.book(record.order.owner).recall([record])
    recall_lists(conn, market, view, records)
    return view
