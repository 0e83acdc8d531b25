"""What time does to an account's money: proceeds settle, futures are marked to market, loans, shorts and perpetual
futures cost. Days change at midnight UTC, which is after the close of US exchanges; what is due there is paid at the
last prices known before, and at the rates of the day that ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from fractions import Fraction

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import Position, paid_to_market, position_value, received
from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.corporate import Conversion, convert, split
from brokerage.domain.models.financing import borrow_cost, funding_payment
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from qmtl.core.errors import NotFound

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that time moved: whose position it was for (of the account's own cash: no owner), why, and how much.

    `note` says what was assumed for it that no table says; empty: nothing. Of a split, `split` is its ratio and the
    price at which the part of a lot was paid, by which the position is known too; of shares that became others or cash,
    `conversion` says so.
    """

    owner: Owner | None
    symbol: str
    kind: CashKind
    currency: str
    amount: int
    at_ns: int
    note: str = field(default="", compare=False)
    split: tuple[Fraction, int] | None = None
    conversion: Conversion | None = None

    @property
    def moves_position(self) -> bool:
        """Whether it changed the position too."""
        return self.kind is CashKind.VARIATION or self.split is not None or self.conversion is not None

    @property
    def moved_symbols(self) -> tuple[str, ...]:
        """The symbols whose positions it changed."""
        into = None if self.conversion is None else self.conversion.into
        return () if not self.moves_position else (self.symbol,) if into is None else (self.symbol, into.symbol)


Behind = Callable[[int], Mapping[str, int]]
"""Symbols whose prices have not come as far as an instant, though they are still to come, each with how far it is."""


@dataclass(slots=True)
class Clocks:
    """How far an account's money has come: what settles (`carried_ns`), interest on its cash, and what the positions in
    each symbol cost and bring. 0: it has not begun.
    """

    carried_ns: int = 0
    interest_ns: int = 0
    symbols: dict[str, int] = field(default_factory=dict)


def in_progress(view: AccountView) -> Behind:
    """Symbols that have a bar under way at an instant, where all bars that ended by then were shown: what is due in it
    waits for its end, since orders fill within it.
    """

    def behind(until_ns: int) -> Mapping[str, int]:
        marks = view.marks.items()
        return {symbol: mark.at_ns for symbol, mark in marks if mark.at_ns < until_ns < mark.at_ns + mark.bar_ns}

    return behind


class Carry:
    """Brings the money of one account forward in time. `purse` is the ledger that payments go through.

    Nothing is due before the first time it is brought to. What settles does so by the latest instant; positions are
    charged no further than the prices of their symbol have come, and interest no further than all symbols' have.
    """

    def __init__(self, view: AccountView, purse: Ledger, behind: Behind, clocks: Clocks | None = None) -> None:
        self.clocks = clocks or Clocks()
        self._view = view
        self._purse = purse
        self._behind = behind
        rates = view.profile.funding_rates
        self._funding = {symbol: {row.from_ns: row.value for row in rows} for symbol, rows in rates.items()}
        self._funded = sorted({at_ns for rows in self._funding.values() for at_ns in rows})
        self._next_ns = self._after(self._slowest())

    def advance(self, until_ns: int) -> list[Payment]:
        """Pay and settle all that is due by an instant. Raises NotFound (E_PROFILE_TABLE_MISSING)."""
        clocks, paid = self.clocks, list[Payment]()
        if not clocks.carried_ns:
            clocks.interest_ns = until_ns
        elif until_ns >= self._next_ns:
            paid = list(self._pay(until_ns))
        clocks.carried_ns = max(clocks.carried_ns, until_ns)
        for book in self._view.books.values():
            book.ledger.book_of_cash.settle(clocks.carried_ns)
        return paid

    def next_due_ns(self) -> int | None:
        """The first instant at which something may be due or settle; None: as things are, at none."""
        ledgers = [book.ledger for book in self._view.books.values()]
        futures = (one.pays_profit_only for ledger in ledgers for one in ledger.instruments.values())
        if not self._view.profile.moves_with_time and not any(futures):
            return None
        settles = (ledger.book_of_cash.next_settlement_ns() for ledger in ledgers)
        return min([self._next_ns, *(at for at in settles if at is not None)])

    def _pay(self, until_ns: int) -> Iterator[Payment]:
        """Pay what is due at the instants to come, each before the next is reckoned."""
        clocks, behind = self.clocks, self._behind(until_ns)
        for symbol in self._view.marks:
            clocks.symbols.setdefault(symbol, clocks.carried_ns)
        reach = {symbol: min(until_ns, behind.get(symbol, until_ns)) for symbol in clocks.symbols}
        together = min([until_ns, *behind.values()])
        for at_ns in self._instants(self._slowest(), until_ns):
            charged = {symbol for symbol, to_ns in reach.items() if clocks.symbols[symbol] < at_ns <= to_ns}
            interest = clocks.interest_ns < at_ns <= together and at_ns % DAY_NS == 0
            for payment in self._due(at_ns, charged, interest=interest):
                book_payment(lambda owner: self._view.book(owner).ledger, self._purse, payment)
                yield payment
        clocks.symbols = {symbol: max(clocks.symbols[symbol], to_ns) for symbol, to_ns in reach.items()}
        clocks.interest_ns = max(clocks.interest_ns, together)
        self._next_ns = self._after(self._slowest())

    def _slowest(self) -> int:
        return min([self.clocks.interest_ns, *self.clocks.symbols.values()])

    def _after(self, at_ns: int) -> int:
        """The next instant at which something may be due."""
        later = self._funded[bisect_right(self._funded, at_ns) :][:1]
        return min([(at_ns // DAY_NS + 1) * DAY_NS, *later])

    def _instants(self, after_ns: int, until_ns: int) -> list[int]:
        """Instants in (after, until] at which something may be due, in order."""
        first = (after_ns // DAY_NS + 1) * DAY_NS
        after, last = bisect_right(self._funded, after_ns), bisect_right(self._funded, until_ns)
        return sorted({*range(first, until_ns + 1, DAY_NS), *self._funded[after:last]})

    def _due(self, at_ns: int, charged: Set[str], *, interest: bool) -> Iterator[Payment]:
        """What is due at an instant, one by one: each is booked before the next is made."""
        view = self._view
        for owner in sorted(view.books, key=lambda owner: (owner.world_id, owner.strategy_id)):
            ledger = view.books[owner].ledger
            for symbol in sorted(charged & ledger.positions.keys()):
                position, mark = ledger.positions[symbol], view.marks.get(symbol)
                if position.quantity and mark is not None:
                    yield from self._of_position(owner, ledger.instruments[symbol], position, mark.price, at_ns)
        if interest and view.profile.loans is not None and view.profile.buying_power is BuyingPower.MARGIN:
            for currency in sorted(self._currencies()):
                yield from self._interest(currency, at_ns)

    def _of_position(
        self, owner: Owner, instrument: Instrument, position: Position, price: int, at_ns: int
    ) -> Iterator[Payment]:
        profile, day, found = self._view.profile, at_ns % DAY_NS == 0, list[tuple[CashKind, int]]()
        rate = self._funding.get(instrument.symbol, {}).get(at_ns)
        borrows = day and instrument.symbol in profile.borrow
        if rate is None and not borrows and not (day and instrument.pays_profit_only):
            return
        value = position_value(instrument, position, price)
        if rate is not None:
            found.append((CashKind.FUNDING, funding_payment(value, rate)))
        if borrows:
            found.append((CashKind.BORROW, borrow_cost(value, profile.borrowed(instrument.symbol, at_ns - 1))))
        if day and instrument.pays_profit_only:
            found.append((CashKind.VARIATION, value - position.cost))
        for kind, amount in found:
            if amount:
                yield Payment(owner, instrument.symbol, kind, instrument.quote, amount, at_ns)

    def _interest(self, currency: str, at_ns: int) -> Iterator[Payment]:
        balance, loans = self._settled(currency) - self._short_proceeds(currency), self._view.profile.loans or {}
        if balance >= 0:
            return
        if currency not in loans:
            raise NotFound(
                "E_PROFILE_TABLE_MISSING", f"profile {self._view.profile.name} has no interest on loans in {currency}"
            )
        amount = loans[currency].of_day(currency, balance, at_ns - 1)
        if amount:
            note = loans[currency].assumed(currency, at_ns - 1)
            yield Payment(None, "", CashKind.INTEREST, currency, amount, at_ns, note)

    def _ledgers(self) -> Iterator[Mapping[str, int]]:
        """The cash of the account, and what has moved in ledgers that are not it."""
        yield self._view.cash
        for book in self._view.books.values():
            if book.ledger.cash is not self._view.cash:
                yield book.ledger.cash

    def _settled(self, currency: str) -> int:
        return sum(cash.get(currency, 0) for cash in self._ledgers())

    def _short_proceeds(self, currency: str) -> int:
        """Worth of shares sold short at their marks. What their sale brought is held for their lender, marked to market
        each day, and reduces no loan. Source: Interactive Brokers, "Short Sale Cost"; interest on margin loans.
        """
        view, total = self._view, 0
        for book in view.books.values():
            for symbol, position in book.ledger.positions.items():
                instrument, mark = book.ledger.instruments[symbol], view.marks.get(symbol)
                if position.quantity < 0 and mark is not None and _is_borrowed(instrument, currency):
                    total -= position_value(instrument, position, mark.price)
        return total

    def _currencies(self) -> set[str]:
        return {currency for cash in self._ledgers() for currency in cash}


def _is_borrowed(instrument: Instrument, currency: str) -> bool:
    return instrument.asset_class is AssetClass.EQUITY and instrument.quote == currency


def book_payment(ledger_of: Callable[[Owner], Ledger], purse: Ledger, payment: Payment) -> None:
    """Book a payment: its cash, and what it did to the position: a future's profit was paid, shares were split or
    became others.
    """
    if payment.moves_position and payment.owner is not None:
        ledger = ledger_of(payment.owner)
        position, instrument = ledger.position(payment.symbol), ledger.instruments[payment.symbol]
        if payment.split is not None:
            ledger.restore(instrument, split(position, instrument, *payment.split).position)
        elif payment.conversion is not None:
            made, into = convert(position, instrument, payment.conversion), payment.conversion.into
            ledger.restore(instrument, made.position)
            if into is not None and made.quantity:
                ledger.restore(into, received(ledger.position(into.symbol), made.quantity, made.cost))
        else:
            ledger.restore(instrument, paid_to_market(position, payment.amount))
    purse.deposit(payment.currency, payment.amount)
