"""What time does to an account's money: proceeds settle, futures are marked to market, loans, shorts and perpetual
futures cost. Days change at midnight UTC, which is after the close of US exchanges; what is due there is paid at the
last prices known before, and at the rates of the day that ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import Position, paid_to_market, position_value
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.financing import borrow_cost, funding_payment
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from qmtl.core.errors import NotFound

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that time moved: whose position it was for (of the account's own cash: no owner), why, and how much."""

    owner: Owner | None
    symbol: str
    kind: CashKind
    currency: str
    amount: int
    at_ns: int


class Carry:
    """Brings the money of one account forward in time. `purse` is the ledger that payments go through.

    Nothing is due before the first time it is brought to. `carried_ns` is how far it has come.
    """

    def __init__(self, view: AccountView, purse: Ledger, carried_ns: int = 0) -> None:
        self.carried_ns = carried_ns
        self._view = view
        self._purse = purse
        rates = view.profile.funding_rates
        self._funding = {symbol: {row.from_ns: row.value for row in rows} for symbol, rows in rates.items()}
        self._funded = sorted({at_ns for rows in self._funding.values() for at_ns in rows})

    def advance(self, until_ns: int) -> list[Payment]:
        """Pay and settle all that is due by an instant. Raises NotFound (E_PROFILE_TABLE_MISSING)."""
        paid: list[Payment] = []
        if self.carried_ns:
            for at_ns in self._instants(until_ns):
                for payment in self._due(at_ns):
                    book_payment(lambda owner: self._view.book(owner).ledger, self._purse, payment)
                    paid.append(payment)
        self.carried_ns = max(self.carried_ns, until_ns)
        self._settle(self.carried_ns)
        return paid

    def next_due_ns(self) -> int:
        """The first instant after that of now at which something may be due or settle: until then nothing is."""
        after = bisect_right(self._funded, self.carried_ns)
        settles = (book.ledger.book_of_cash.next_settlement_ns() for book in self._view.books.values())
        funded = self._funded[after : after + 1]
        return min([(self.carried_ns // DAY_NS + 1) * DAY_NS, *funded, *(at for at in settles if at is not None)])

    def _settle(self, at_ns: int) -> None:
        for ledger in {id(book.ledger): book.ledger for book in self._view.books.values()}.values():
            ledger.book_of_cash.settle(at_ns)

    def _instants(self, until_ns: int) -> list[int]:
        """Instants of the time to come at which something may be due, in order."""
        first = (self.carried_ns // DAY_NS + 1) * DAY_NS
        after, last = bisect_right(self._funded, self.carried_ns), bisect_right(self._funded, until_ns)
        return sorted({*range(first, until_ns + 1, DAY_NS), *self._funded[after:last]})

    def _due(self, at_ns: int) -> Iterator[Payment]:
        """What is due at an instant, one by one: each is booked before the next is made."""
        view, midnight = self._view, at_ns % DAY_NS == 0
        owners = sorted(view.books, key=lambda owner: (owner.world_id, owner.strategy_id))
        for owner in owners:
            ledger = view.books[owner].ledger
            for symbol in sorted(ledger.positions):
                position, instrument, mark = (
                    ledger.positions[symbol],
                    ledger.instruments[symbol],
                    view.marks.get(symbol),
                )
                if position.quantity and mark is not None:
                    yield from self._of_position(owner, instrument, position, mark.price, at_ns)
        if midnight and view.profile.loans is not None and view.profile.buying_power is BuyingPower.MARGIN:
            for currency in sorted(self._currencies()):
                yield from self._interest(currency, at_ns)

    def _of_position(
        self, owner: Owner, instrument: Instrument, position: Position, price: int, at_ns: int
    ) -> Iterator[Payment]:
        profile, value = self._view.profile, position_value(instrument, position, price)
        rate = self._funding.get(instrument.symbol, {}).get(at_ns)
        found = [(CashKind.FUNDING, 0 if rate is None else funding_payment(value, rate))]
        if at_ns % DAY_NS == 0:
            found.append((CashKind.BORROW, borrow_cost(value, profile.borrowed(instrument.symbol, at_ns - 1))))
            if instrument.pays_profit_only:
                found.append((CashKind.VARIATION, value - position.cost))
        for kind, amount in found:
            if amount:
                yield Payment(owner, instrument.symbol, kind, instrument.quote, amount, at_ns)

    def _interest(self, currency: str, at_ns: int) -> Iterator[Payment]:
        balance, loans = self._settled(currency), self._view.profile.loans or {}
        if balance >= 0:
            return
        if currency not in loans:
            raise NotFound(
                "E_PROFILE_TABLE_MISSING", f"profile {self._view.profile.name} has no interest on loans in {currency}"
            )
        amount = loans[currency].of_day(currency, balance, at_ns - 1)
        if amount:
            yield Payment(None, "", CashKind.INTEREST, currency, amount, at_ns)

    def _ledgers(self) -> Iterator[Mapping[str, int]]:
        """The cash of the account, and what has moved in ledgers that are not it."""
        yield self._view.cash
        for book in self._view.books.values():
            if book.ledger.cash is not self._view.cash:
                yield book.ledger.cash

    def _settled(self, currency: str) -> int:
        return sum(cash.get(currency, 0) for cash in self._ledgers())

    def _currencies(self) -> set[str]:
        return {currency for cash in self._ledgers() for currency in cash}


def book_payment(ledger_of: Callable[[Owner], Ledger], purse: Ledger, payment: Payment) -> None:
    """Book a payment: its cash, and of a future the profit that was paid into it."""
    if payment.kind is CashKind.VARIATION and payment.owner is not None:
        ledger = ledger_of(payment.owner)
        position, instrument = ledger.position(payment.symbol), ledger.instruments[payment.symbol]
        ledger.restore(instrument, paid_to_market(position, payment.amount))
    purse.deposit(payment.currency, payment.amount)
