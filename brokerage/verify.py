"""The proof at start: stored books are the replay of their events."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books import totals
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import Position
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.totals import NO_OPEN_ORDERS
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from qmtl.core.errors import Conflict

REPLAY_PAGE = 1_000
Books = tuple[dict[tuple[Owner, str], Position], dict[str, int]]


def rebuilt(conn: Connection, house: MarketContext, account: Account) -> Books:
    """Positions and cash of an account replayed from its fills: what the stored books must equal."""
    ledgers: dict[Owner, Ledger] = {}
    reached = 0
    while page := orders_store.fills_after(conn, account.account, "", reached, REPLAY_PAGE, house.instruments):
        reached = page[-1][2]
        for stored, event, _ in page:
            record = stored.record
            if event.fill is not None and record.instrument is not None:
                ledger = ledgers.setdefault(record.order.scope, Ledger())
                ledger.book(record.instrument, record.order.side, event.fill)
    money = {account.base_currency: account.starting_cash}
    for ledger in ledgers.values():
        for currency, amount in ledger.cash.items():
            money[currency] = money.get(currency, 0) + amount
    held = {(scope, symbol): at for scope, ledger in ledgers.items() for symbol, at in ledger.positions.items()}
    return held, money


def verify_books(conn: Connection, house: MarketContext) -> int:
    """Replay every account and compare with its stored books; how many accounts. Raises Conflict (E_BOOKS_DIFFER)."""
    found = accounts_store.accounts(conn)
    for account in found:
        held = {(scope, symbol): at for scope, symbol, at in books_store.load_positions(conn, account.account)}
        heads = orders_store.open_records(conn, house.instruments, account.account)
        folds = [stored.record for stored in orders_store.open_orders(conn, house.instruments, account.account)]
        books = (held, cash.load_cash(conn, account.account))
        if books != rebuilt(conn, house, account) or heads != folds or not _sums_hold(conn, house, account):
            raise Conflict(
                "E_BOOKS_DIFFER",
                f"the stored books of account {account.account} are not the replay of its events",
                hint="restore the store from a backup; nothing was changed",
            )
    return len(found)


def _sums_hold(conn: Connection, house: MarketContext, account: Account) -> bool:
    """Whether the sums, where they stand at the last event, are those of the open orders."""
    if not totals.stand(account):
        return True  # somebody wrote without them: made anew before they are used
    found = totals.counted(conn, house, account.account)
    wanted = {scope: {key: of for key, of in sides.items() if of != NO_OPEN_ORDERS} for scope, sides in found.items()}
    return totals.load(conn, house, account) == {scope: sides for scope, sides in wanted.items() if sides}
