"""What fills and events changed of the books, written back: only what was touched."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.books import store, totals
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.money import fit
from brokerage.domain.orders.events import OrderEvent

Done = Sequence[tuple[StrategyBook, OrderEvent]]


def save_totals(conn: Connection, done: Done) -> None:
    """Store the open-order totals that moved since their books were loaded."""
    for book, event in {id(book): (book, event) for book, event in done}.values():
        owner = book.records[event.order_id].order.owner
        for symbol, side in sorted(book.changed, key=lambda key: (key[0], key[1].value)):
            totals.save(conn, owner, symbol, side, book.totals[symbol, side])
        book.changed.clear()


def save_books(conn: Connection, account: Account, done: Done) -> None:
    """Store the positions that fills touched and the cash they moved. A loaded book's own cash is what moved."""
    filled = [(book, book.records[event.order_id].order) for book, event in done if event.fill is not None]
    filled = [(book, order) for book, order in filled if not order.shares]  # what it brought is its shares'
    for (owner, symbol), book in {(order.owner, order.symbol): book for book, order in filled}.items():
        store.save_position(conn, owner, symbol, book.ledger.position(symbol))
    money = cash.load_cash(conn, account.account)
    moved: set[str] = set()
    for book in {id(book): book for book, _ in filled}.values():
        for currency, amount in book.ledger.cash.items():
            money[currency] = fit(money.get(currency, 0) + amount, f"cash in {currency}")
            moved.add(currency)
        for settles_ns, currency, amount in book.ledger.book_of_cash.pending():
            cash.add_pending(conn, account.account, currency, amount, settles_ns)
    for currency in sorted(moved):
        cash.save_cash(conn, account.account, currency, money[currency])
