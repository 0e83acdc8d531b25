"""The proof at start: stored books are the replay of their events."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books import totals
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import Position
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, totals_of
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.store import OrdersOf
from qmtl.core.errors import Conflict

REPLAY_PAGE = 1_000
Books = tuple[dict[tuple[Owner, str], Position], dict[str, int]]


def rebuilt(conn: Connection, market: MarketContext, account: Account) -> Books:
    """Positions and cash of an account replayed from its fills: what the stored books must equal."""
    ledgers: dict[Owner, Ledger] = {}
    reached = 0
    while page := orders_store.fills_after(conn, OrdersOf(account.account), reached, REPLAY_PAGE, market.instruments):
        reached = page[-1][2]
        for stored, event, _ in page:
            record = stored.record
            if event.fill is not None and record.instrument is not None:
                ledger = ledgers.setdefault(record.order.owner, Ledger())
                ledger.book(record.instrument, record.order.side, event.fill)
    money = {account.base_currency: account.starting_cash}
    for ledger in ledgers.values():
        for currency, amount in ledger.cash.items():
            money[currency] = money.get(currency, 0) + amount
    held = {(owner, symbol): at for owner, ledger in ledgers.items() for symbol, at in ledger.positions.items()}
    return held, money


def verify_books(conn: Connection, market: MarketContext) -> int:
    """Replay every account and compare with its stored books; how many accounts. Raises Conflict (E_BOOKS_DIFFER)."""
    found = accounts_store.accounts(conn)
    for account in found:
        held = {(owner, symbol): at for owner, symbol, at in books_store.load_positions(conn, account.account)}
        heads = orders_store.open_records(conn, market.instruments, account.account)
        folds = [stored.record for stored in orders_store.open_orders(conn, market.instruments, account.account)]
        books = (held, cash.load_cash(conn, account.account))
        if books != rebuilt(conn, market, account) or heads != folds or not _totals_hold(conn, account, heads):
            raise Conflict(
                "E_BOOKS_DIFFER",
                f"the stored books of account {account.account} are not the replay of its events",
                hint="restore the store from a backup; nothing was changed",
            )
    return len(found)


def _totals_hold(conn: Connection, account: Account, records: Iterable[OrderRecord]) -> bool:
    """Whether the stored open-order totals are those of the open orders."""
    found: totals.Totals = {}
    for record in records:
        of, key = found.setdefault(record.order.owner, {}), (record.order.symbol, record.order.side)
        of[key] = of.get(key, NO_OPEN_ORDERS) + totals_of(record)
    wanted = {owner: {key: of for key, of in sides.items() if of != NO_OPEN_ORDERS} for owner, sides in found.items()}
    return totals.load(conn, account.account) == {owner: sides for owner, sides in wanted.items() if sides}
