"""The money of an account while bars of one of its feeds are shown to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books.payments import Numbered, save_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.ticks import MarketEvent, ends_ns
from brokerage.domain.models.corporate import CorporateAction, Dividend, Ending, Expiry, Split, action_text
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Carry, Clocks, Payment, book_payment
from brokerage.domain.simulation.corporate import apply_action, conversion_of, end_orders, pay_out, waits_for
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.core.errors import NotFound


class CarriedAccount:
    """Brings an account's money forward with the bars of a symbol. What is due in symbols whose bars are still to come
    waits for them; a feed that has stopped holds up nothing but what its own bars would have done.
    """

    def __init__(self, account: Account, view: AccountView, symbol: str) -> None:
        self.account = account
        self.view = view
        self.symbol = symbol
        self._purse = view.book(Owner(account.account, "", "")).ledger
        begun = {feed.symbol: feed.carried_ns for feed in account.feeds if feed.carried_ns}
        clocks = Clocks(account.carried_ns, account.interest_ns, begun)
        self._carry = Carry(view, self._purse, partial(account.behind, symbol), clocks)
        self._paid: list[Numbered] = []
        self._told: list[str] = []
        self._kept: list[str] = []

    def advance(self, until_ns: int, done: Sequence[tuple[StrategyBook, OrderEvent]]) -> None:
        """Pay what is due by an instant, after the events that were done so far."""
        payments = self._carry.advance(until_ns)
        if payments:
            self._paid += [(self._fills(done), payment) for payment in payments]

    def pass_by(self, event: MarketEvent, mark: Mark | None) -> None:
        """Move the money with a bar or tick that does nothing to orders; `mark` is the price that it leaves."""
        self.advance(event.start_ns if isinstance(event, Bar) else event.at_ns, ())
        if mark is not None:
            self.view.marks[self.symbol] = mark
        self.advance(ends_ns(event), ())

    def act(
        self, action: Split | Dividend, price: int, received_ns: int, done: Sequence[tuple[StrategyBook, OrderEvent]]
    ) -> list[tuple[StrategyBook, OrderEvent]]:
        """Apply a corporate action to every owner, after the events that were done so far; `price` is the first after
        it. What it did to orders.
        """
        instrument, time = self.view.instruments.find(action.symbol), EventTime(action.at_ns, received_ns)
        if instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"no properties of {action.symbol} are known, which an action names")
        fills, made = self._fills(done), list[tuple[StrategyBook, OrderEvent]]()
        for owner in sorted(self.view.books, key=lambda one: (one.world_id, one.strategy_id)):
            book = self.view.books[owner]
            events, payments = apply_action(book, owner, instrument, action, price, time)
            for payment in payments:
                book_payment(lambda owner: self.view.book(owner).ledger, self._purse, payment)
                self._paid.append((fills, payment))
                self._told.append(told(action, payment))
            made += [(book, event) for event in events]
        if isinstance(action, Split):
            self.view.marks[action.symbol] = Mark(price, action.at_ns)
        return made

    def end(
        self,
        action: Ending,
        price: int,
        received_ns: int,
        done: Sequence[tuple[StrategyBook, OrderEvent]],
        *,
        tells: bool = True,
    ) -> list[tuple[StrategyBook, OrderEvent]]:
        """End a symbol for every owner, after the events that were done so far, and pay out what its position becomes,
        once there is a price of that: the first (`price`) of the symbol that the account is shown, or of a contract its
        last. What it did to orders. `tells`: what is kept is told, once.
        """
        time, name, made = (
            EventTime(action.at_ns, received_ns),
            waits_for(action),
            list[tuple[StrategyBook, OrderEvent]](),
        )
        for owner in sorted(self.view.books, key=lambda one: (one.world_id, one.strategy_id)):
            book = self.view.books[owner]
            made += [(book, event) for event in end_orders(book, action, time)]
            if not book.held(action.symbol) or name not in ("", self.symbol):
                continue
            instrument, into = book.ledger.instruments[action.symbol], self.view.instruments.find(name)
            mark = self.view.marks.get(action.symbol) if isinstance(action, Expiry) else None
            terms = conversion_of(action, instrument, into, price if name else mark.price if mark else 0)
            if terms is None and tells:
                held = format_decimal(instrument.quantity_decimal(book.held(action.symbol)))
                whose = f"{owner.world_id}/{owner.strategy_id}"
                self._kept.append(f"{action_text(action)}: {whose}, {held} kept, which cannot be traded")
            for payment in [] if terms is None else pay_out(book, owner, action, terms):
                book_payment(lambda owner: self.view.book(owner).ledger, self._purse, payment)
                self._paid.append((self._fills(done), payment))
                self._told.append(told(action, payment))
        return made

    def _fills(self, done: Sequence[tuple[StrategyBook, OrderEvent]]) -> int:
        return self.account.fill_sequence + sum(event.fill is not None for _, event in done)

    def carried(self, account: Account) -> Account:
        """An account with where its money stands now."""
        clocks = self._carry.clocks
        feeds = tuple(replace(feed, carried_ns=clocks.symbols.get(feed.symbol, 0)) for feed in account.feeds)
        return replace(account, carried_ns=clocks.carried_ns, interest_ns=clocks.interest_ns, feeds=feeds)

    def save(self, conn: Connection, account: Account, now_ns: int) -> None:
        """Store what was paid, and settle what is due. The fills that came between are stored already."""
        kept = (one for one in self._kept if not audit.is_recorded(conn, "corporate_action", account.account, one))
        for detail in [*self._told, *kept]:
            audit.record(conn, now_ns, ("brokerage", ""), "corporate_action", account.account, detail)
        accounts_store.save_carried(conn, self.account, account)
        save_payments(conn, self.account.account, self.view, self._paid)
        if self.view.profile.settles is not None:
            cash.settle(conn, self.account.account, self._carry.clocks.carried_ns)


def told(action: CorporateAction, payment: Payment) -> str:
    """One line of what an action did to a position."""
    owner, amount = payment.owner, from_scaled(payment.amount, currency_scale(payment.currency))
    whose = f"{owner.world_id}/{owner.strategy_id}" if owner else ""
    return f"{action_text(action)}: {whose}, cash {amount:f} {payment.currency}"
