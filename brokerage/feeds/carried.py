"""The money of an account while bars of one of its feeds are shown to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.books.payments import Numbered, save_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Carry


class CarriedAccount:
    """Brings an account's money forward with the bars of a symbol, no further than all its feeds have come."""

    def __init__(self, account: Account, view: AccountView, symbol: str) -> None:
        self.account = account
        self.view = view
        self.symbol = symbol
        purse = view.book(Owner(account.account, "", "")).ledger
        self._carry = Carry(view, purse, account.carried_ns)
        self._paid: list[Numbered] = []

    def advance(self, until_ns: int, done: Sequence[tuple[StrategyBook, OrderEvent]]) -> None:
        """Pay what is due by an instant, after the events that were done so far."""
        if not self.view.profile.moves_with_time:
            return
        payments = self._carry.advance(self.account.passed_ns(self.symbol, until_ns))
        if payments:
            fills = self.account.fill_sequence + sum(event.fill is not None for _, event in done)
            self._paid += [(fills, payment) for payment in payments]

    def carried(self, account: Account) -> Account:
        """An account with where its money stands now."""
        return replace(account, carried_ns=self._carry.carried_ns)

    def save(self, conn: Connection) -> None:
        """Store what was paid, and settle what is due. The fills that came between are stored already."""
        save_payments(conn, self.account.account, self.view, self._paid)
        if self.view.profile.settles is not None:
            cash.settle(conn, self.account.account, self._carry.carried_ns)
