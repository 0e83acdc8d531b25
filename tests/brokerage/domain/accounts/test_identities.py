"""Accounting identities on random histories, exact to the unit, in three currencies: shorts, flips, fees in base,
splits, dividends, exchanges of shares, delistings, funding, borrow, interest, settlement and currency conversion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.cash_book import CashBook, CashEntry, CashKind
from brokerage.domain.accounts.lots import Lot, LotFill, converted_lots, received_lot, split_lots, traded_lots
from brokerage.domain.accounts.position import FLAT, Position, position_value, received, settled
from brokerage.domain.market.instrument import Instrument, instrument
from brokerage.domain.models.corporate import Conversion, convert, dividend, split
from brokerage.domain.models.fees.model import Execution, FeeModel
from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee
from brokerage.domain.models.fees.tables.ibkr import FIXED, FUTURES
from brokerage.domain.models.financing import (
    IBKR_PRO_USD,
    BorrowRate,
    borrow_cost,
    funding_payment,
    loan_interest,
)
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Side

STOCK = instrument("AAPL", base="AAPL", quote="USD")
COIN = instrument("BTC-EUR", base="BTC", quote="EUR", lot="0.00000001")
YEN = instrument("7203", base="7203", quote="JPY", tick="0.5", lot="100")
MERGED = instrument("NEW", base="NEW", quote="USD", lot="0.01")
FUTURE = instrument("ES", base="ES", quote="USD", tick="0.25", multiplier="50")
TRADED: tuple[tuple[Instrument, FeeModel], ...] = (
    (STOCK, FIXED),
    (MERGED, FIXED),
    (COIN, PercentFee(rate("0.001"), rate("0.0026"), FeeCurrency.BASE_ON_BUY)),
    (YEN, PercentFee(rate("0.0005"), rate("0.0007"))),
    (FUTURE, FUTURES),
)
CURRENCIES = ("USD", "EUR", "JPY")
SHARES = (STOCK, MERGED)
APART = (
    CashKind.DEPOSIT,
    CashKind.INTEREST,
    CashKind.BORROW,
    CashKind.FUNDING,
    CashKind.DIVIDEND,
    CashKind.CONVERSION,
)
"""Cash that is no part of a position's profit and fees."""


@dataclass
class Books:
    """Cash, positions by average cost and lots of one account, changed by the same events."""

    cash: CashBook = field(default_factory=CashBook)
    positions: dict[str, Position] = field(default_factory=dict)
    lots: dict[str, tuple[Lot, ...]] = field(default_factory=dict)
    lot_profit: dict[str, int] = field(default_factory=dict)
    prices: dict[str, int] = field(default_factory=dict)
    now: int = 0

    def pay(self, kind: CashKind, currency: str, amount: int, delay: int = 0) -> None:
        self.cash.post(CashEntry(kind, currency, amount, self.now, self.now + delay))

    def fill(self, what: Instrument, model: FeeModel, quantity: int, price: int, delay: int) -> None:
        side = Side.BUY if quantity > 0 else Side.SELL
        notional = what.notional(price, abs(quantity))
        fee, currency = model.charge(Execution(what, side, abs(quantity), notional, Liquidity.TAKER))
        made = Fill(f"t{self.now}", abs(quantity), price, fee, currency, Liquidity.TAKER, self.now)
        position, flow = settled(self.positions.get(what.symbol, FLAT), what, side, made)
        self.positions[what.symbol] = position
        self.prices[what.symbol] = price
        charged = fee if currency == what.quote else 0
        self.pay(CashKind.TRADE, what.quote, flow + charged, delay)
        self.pay(CashKind.FEE, what.quote, -charged)
        for part in (quantity, -fee if currency == what.base else 0):
            self.trade_lots(what, part, price)

    def trade_lots(self, what: Instrument, quantity: int, price: int) -> None:
        if quantity:
            made = LotFill(quantity, price, self.now, f"t{self.now}")
            self.lots[what.symbol], closed = traded_lots(self.lots.get(what.symbol, ()), what, made)
            self.lot_profit[what.symbol] = self.lot_profit.get(what.symbol, 0) + sum(one.profit for one in closed)

    def split(self, what: Instrument, ratio: Fraction) -> None:
        before = self.lots.get(what.symbol, ())
        price = max(int(self.prices.get(what.symbol, what.tick) / ratio / what.tick), 1) * what.tick
        found = split(self.positions.get(what.symbol, FLAT), what, ratio, price)
        after = split_lots(before, what, ratio, found.position.quantity)
        self.positions[what.symbol], self.lots[what.symbol], self.prices[what.symbol] = found.position, after, price
        self.pay(CashKind.SPLIT, what.quote, found.cash)
        dropped = sum(lot.cost for lot in before) - sum(lot.cost for lot in after)
        self.lot_profit[what.symbol] = self.lot_profit.get(what.symbol, 0) + found.cash - dropped

    def convert(self, what: Instrument, into: Instrument | None, ratio: Fraction, per_share: int) -> None:
        """A merger into another symbol, or the end of a symbol for cash."""
        price = 0 if into is None else self.prices.setdefault(into.symbol, into.tick)
        terms = Conversion(into, ratio, per_share, price)
        made = convert(self.positions.get(what.symbol, FLAT), what, terms)
        before, moved = self.lots.get(what.symbol, ()), tuple[Lot, ...]()
        if into is not None and made.quantity:
            scaled = ratio * Fraction(10) ** (into.quantity_scale - what.quantity_scale)
            moved = converted_lots(before, into, scaled, made.quantity, made.kept)
            self.positions[into.symbol] = received(self.positions.get(into.symbol, FLAT), made.quantity, made.cost)
            for lot in moved:
                self.lots[into.symbol], closed = received_lot(self.lots.get(into.symbol, ()), lot, self.now)
                profit = sum(one.profit for one in closed)
                self.lot_profit[into.symbol] = self.lot_profit.get(into.symbol, 0) + profit
        self.positions[what.symbol], self.lots[what.symbol] = made.position, ()
        self.pay(CashKind.EXCHANGE, what.quote, made.cash)
        paid = made.cash - sum(lot.cost for lot in before) + sum(lot.cost for lot in moved)
        self.lot_profit[what.symbol] = self.lot_profit.get(what.symbol, 0) + paid

    def carry(self, what: Instrument, amount: int) -> None:
        """A day: dividend, funding and borrow of a position, interest on what is owed."""
        held = self.positions.get(what.symbol, FLAT)
        value = position_value(what, held, self.prices.get(what.symbol, what.tick))
        self.pay(CashKind.DIVIDEND, what.quote, dividend(what, held.quantity, amount * what.tick))
        self.pay(CashKind.FUNDING, what.quote, funding_payment(value, amount * 100))
        self.pay(CashKind.BORROW, what.quote, borrow_cost(value, BorrowRate(fee=rate("0.03"), rebate=rate("0.001"))))
        owed = self.cash.settled.get(what.quote, 0)
        self.pay(CashKind.INTEREST, what.quote, loan_interest(what.quote, owed, IBKR_PRO_USD, rate("0.05")))


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "fill", "fill", "fill", "split", "carry", "convert", "exchange", "day"]),
        st.sampled_from(TRADED),
        st.integers(-(10**5), 10**5).filter(bool),
        st.integers(1, 10**5),
        st.integers(0, 2),
    ),
    max_size=30,
)


def play(books: Books, event: tuple[str, tuple[Instrument, FeeModel], int, int, int]) -> None:
    kind, (what, model), quantity, ticks, delay = event
    books.now += 1
    if kind == "fill":
        books.fill(what, model, quantity * what.lot, ticks * what.tick, delay)
    elif kind == "split":
        books.split(what, Fraction(1 + ticks % 7, 1 + abs(quantity) % 5))
    elif kind == "exchange" and what in SHARES:
        into = {STOCK: MERGED, MERGED: STOCK}[what] if delay else None
        ratio = Fraction(ticks % 5, 1 + abs(quantity) % 7) if into else Fraction(0)
        books.convert(what, into if ratio else None, ratio, ticks % 3 * what.tick)
    elif kind == "carry":
        books.carry(what, ticks % 50)
    elif kind == "convert":
        there = books.cash.settled.get(what.quote, 0)
        if there > 0:
            target = CURRENCIES[(CURRENCIES.index(what.quote) + 1) % 3]
            books.cash.convert(what.quote, target, there // 2 + 1, Decimal(ticks).scaleb(-4), books.now)
    books.cash.settle(books.now)


@given(EVENTS)
def test_equity_is_what_was_paid_in_and_earned_less_what_was_charged(
    events: list[tuple[str, tuple[Instrument, FeeModel], int, int, int]],
) -> None:
    books = Books()
    for currency in CURRENCIES:
        books.pay(CashKind.DEPOSIT, currency, 10**14)
    for event in events:
        play(books, event)
        for currency in CURRENCIES:
            equity = books.cash.total(currency)
            earned = sum(books.cash.totals.get((currency, kind), 0) for kind in APART)
            for what, _ in TRADED:
                if what.quote == currency:
                    held = books.positions.get(what.symbol, FLAT)
                    value = position_value(what, held, books.prices.get(what.symbol, what.tick))
                    equity += value
                    earned += held.realised + (value - held.cost) - held.fees
            assert equity == earned
        for what, _ in TRADED:
            held, lots = books.positions.get(what.symbol, FLAT), books.lots.get(what.symbol, ())
            assert sum(lot.quantity for lot in lots) == held.quantity
            assert held.quantity or not held.cost
        for joined in (SHARES, (COIN,), (YEN,), (FUTURE,)):  # an exchange moves cost between the symbols it joins
            profit = earned = 0
            for what in joined:
                held, lots = books.positions.get(what.symbol, FLAT), books.lots.get(what.symbol, ())
                profit += books.lot_profit.get(what.symbol, 0) - sum(lot.cost for lot in lots)
                earned += held.realised - held.cost
            assert profit == earned


@given(EVENTS)
def test_a_history_played_again_gives_the_same_books(
    events: list[tuple[str, tuple[Instrument, FeeModel], int, int, int]],
) -> None:
    one, other = Books(), Books()
    for books in (one, other):
        books.pay(CashKind.DEPOSIT, "USD", 10**14)
        for event in events:
            play(books, event)
    assert (one.positions, one.lots, one.cash.settled, one.cash.totals) == (
        other.positions,
        other.lots,
        other.cash.settled,
        other.cash.totals,
    )
