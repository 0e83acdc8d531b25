"""The money of an account while bars of one of its feeds are shown to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books.payments import Numbered, save_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Carry, Clocks


class CarriedAccount:
    """Brings an account's money forward with the bars of a symbol. What is due in symbols whose bars are still to come
    waits for them; a feed that has stopped holds up nothing but what its own bars would have done.
    """

    def __init__(self, account: Account, view: AccountView, symbol: str) -> None:
        self.account = account
        self.view = view
        self.symbol = symbol
        purse = view.book(Owner(account.account, "", "")).ledger
        begun = {feed.symbol: feed.carried_ns for feed in account.feeds if feed.carried_ns}
        clocks = Clocks(account.carried_ns, account.interest_ns, begun)
        self._carry = Carry(view, purse, partial(account.behind, symbol), clocks)
        self._paid: list[Numbered] = []

    def advance(self, until_ns: int, done: Sequence[tuple[StrategyBook, OrderEvent]]) -> None:
        """Pay what is due by an instant, after the events that were done so far."""
        payments = self._carry.advance(until_ns)
        if payments:
            fills = self.account.fill_sequence + sum(event.fill is not None for _, event in done)
            self._paid += [(fills, payment) for payment in payments]

    def carried(self, account: Account) -> Account:
        """An account with where its money stands now."""
        clocks = self._carry.clocks
        feeds = tuple(replace(feed, carried_ns=clocks.symbols.get(feed.symbol, 0)) for feed in account.feeds)
        return replace(account, carried_ns=clocks.carried_ns, interest_ns=clocks.interest_ns, feeds=feeds)

    def save(self, conn: Connection, account: Account) -> None:
        """Store what was paid, and settle what is due. The fills that came between are stored already."""
        accounts_store.save_carried(conn, self.account, account)
        save_payments(conn, self.account.account, self.view, self._paid)
        if self.view.profile.settles is not None:
            cash.settle(conn, self.account.account, self._carry.clocks.carried_ns)
