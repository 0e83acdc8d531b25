"""What fills and events changed of the books, written back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.books import store, totals
from brokerage.domain.accounts.account import Account
from brokerage.domain.money import fit
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.totals import NO_OPEN_ORDERS
from brokerage.domain.trading.commands import Desk


def save_totals(conn: Connection, done: Sequence[tuple[Desk, OrderEvent]]) -> None:
    """Store what changed of the sums. A desk was loaded with them, so what it has now is what stands."""
    for desk, event in {id(desk): (desk, event) for desk, event in done}.values():
        scope = desk.records[event.order_id].order.scope
        for (symbol, side), of in desk.sums.items():
            if of != desk.stored_sums.get((symbol, side), NO_OPEN_ORDERS):
                totals.save(conn, scope, symbol, side, of)
        desk.stored_sums = dict(desk.sums)


def save_books(conn: Connection, account: Account, done: Sequence[tuple[Desk, OrderEvent]]) -> None:
    money = cash.load_cash(conn, account.account)
    touched: dict[tuple[Owner, str], Desk] = {}
    for desk, event in done:
        if event.fill is not None:
            order = desk.records[event.order_id].order
            touched[order.scope, order.symbol] = desk
    for (scope, symbol), desk in touched.items():
        store.save_position(conn, scope, symbol, desk.ledger.position(symbol))
    for desk in {id(desk): desk for desk in touched.values()}.values():
        for currency, moved in desk.ledger.cash.items():
            money[currency] = fit(money.get(currency, 0) + moved, f"cash in {currency}")
    for currency, amount in money.items():
        cash.save_cash(conn, account.account, currency, amount)
