"""The proof at start: stored books are the replay of their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books import totals
from brokerage.books.payments import Numbered, load_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.ledger import Ledger, Settles
from brokerage.domain.accounts.position import Position
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, totals_by_side
from brokerage.domain.simulation.carry import book_payment
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.store import OrdersOf
from qmtl.core.errors import Conflict

REPLAY_PAGE = 1_000
Books = tuple[dict[tuple[Owner, str], Position], dict[str, int], dict[tuple[int, str], int]]
"""Positions, settled cash by currency, and what is on its way by its instant and currency."""


def rebuilt(conn: Connection, market: MarketContext, account: Account) -> Books:
    """Positions and cash of an account replayed from its fills and payments: what the stored books must equal."""
    market = market.of(account)
    books = _Replayed(
        account, market.profile_of(account).settles, deque(load_payments(conn, account.account, market.instruments))
    )
    reached = 0
    while page := orders_store.fills_after(conn, OrdersOf(account.account), reached, REPLAY_PAGE, market.instruments):
        for stored, event, number in page:
            record = stored.record
            books.pay(before=number)
            if event.fill is not None and record.instrument is not None:
                books.of(record.order.owner).book(record.instrument, record.order.side, event.fill)
        reached = page[-1][2]
    books.pay()
    return books.settled()


class _Replayed:
    """Books of an account while they are replayed."""

    def __init__(self, account: Account, settles: Settles | None, payments: deque[Numbered]) -> None:
        self._account = account
        self._settles = settles
        self._payments = payments
        self._ledgers: dict[Owner, Ledger] = {}
        self._purse = self.of(Owner(account.account, "", ""))
        self._purse.deposit(account.base_currency, account.starting_cash)

    def of(self, owner: Owner) -> Ledger:
        """The ledger of one owner."""
        return self._ledgers.setdefault(owner, Ledger(self._settles))

    def pay(self, before: int | None = None) -> None:
        """Book the payments that came before a fill; None: all that are left."""
        while self._payments and (before is None or self._payments[0][0] < before):
            book_payment(self.of, self._purse, self._payments.popleft()[1])

    def settled(self) -> Books:
        """Positions and cash at the instant to which the account's money was brought."""
        money: dict[str, int] = {}
        waiting: dict[tuple[int, str], int] = {}
        for ledger in self._ledgers.values():
            ledger.book_of_cash.settle(self._account.carried_ns)
            for currency, amount in ledger.cash.items():
                money[currency] = money.get(currency, 0) + amount
            for at_ns, currency, amount in ledger.book_of_cash.pending():
                waiting[at_ns, currency] = waiting.get((at_ns, currency), 0) + amount
        held = {
            (owner, symbol): at for owner, ledger in self._ledgers.items() for symbol, at in ledger.positions.items()
        }
        return held, money, waiting


def differences(conn: Connection, market: MarketContext, account: Account) -> list[str]:
    """Where the stored books of an account are not the replay of its events; nothing where they are."""
    market = market.of(account)
    held, money, waiting = rebuilt(conn, market, account)
    heads = orders_store.open_records(conn, market.instruments, account.account)
    folds = [stored.record for stored in orders_store.open_orders(conn, market.instruments, account.account)]
    stored_held = {(owner, symbol): at for owner, symbol, at in books_store.load_positions(conn, account.account)}
    stored_waiting = {(at_ns, currency): amount for at_ns, currency, amount in cash.pending(conn, account.account)}
    agree = {
        "positions": stored_held == held,
        "settled cash": cash.load_cash(conn, account.account) == money,
        "cash on its way": stored_waiting == waiting,
        "open orders": heads == folds,
        "totals of open orders": _totals_hold(conn, account, heads),
    }
    return [f"{part} as stored are not the replay of the account's events" for part, same in agree.items() if not same]


def verify_books(conn: Connection, market: MarketContext) -> int:
    """Replay every account and compare with its stored books; how many accounts. Raises Conflict (E_BOOKS_DIFFER)."""
    found = accounts_store.accounts(conn)
    for account in found:
        differ = differences(conn, market, account)
        if differ:
            raise Conflict(
                "E_BOOKS_DIFFER",
                f"account {account.account}: {'; '.join(differ)}",
                hint="restore the store from a backup; nothing was changed",
            )
    return len(found)


def _totals_hold(conn: Connection, account: Account, records: Iterable[OrderRecord]) -> bool:
    """Whether the stored open-order totals are those of the open orders."""
    owned: dict[Owner, list[OrderRecord]] = {}
    for record in records:
        owned.setdefault(record.order.owner, []).append(record)
    found = {owner: totals_by_side(mine) for owner, mine in owned.items()}
    wanted = {owner: {key: of for key, of in sides.items() if of != NO_OPEN_ORDERS} for owner, sides in found.items()}
    return totals.load(conn, account.account) == {owner: sides for owner, sides in wanted.items() if sides}
