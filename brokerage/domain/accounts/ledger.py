"""Accounting: the cash book and the positions of one owner, right for shorts and for flips through zero.

Every amount is an exact integer in quote currency. The identity that holds after every fill and payment, at any mark:
settled + unsettled cash + worth of positions = paid in + realised + unrealised - fees + what time brought. Worth is
cost + unrealised, or unrealised alone where no principal is paid. Realised profit never contains fees. A position's
cost is signed: paid for a long, received (negative) for a short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from brokerage.domain.accounts.cash_book import CashBook, CashEntry, CashKind
from brokerage.domain.accounts.portfolio import Portfolio, view_position
from brokerage.domain.accounts.position import FLAT, Position, position_worth, settled
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.money import currency_scale, fit
from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.order import Side
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import NotReady

Settles = Callable[[Instrument, int], int]
"""When the proceeds of a sale of an instrument at an instant may be used."""


class Ledger:
    """The books of one owner: fold fills in with `book`, read positions, cash and equity out.

    `cash` is what is settled; `settles` says when proceeds are, None: at once.
    """

    def __init__(self, settles: Settles | None = None) -> None:
        self.book_of_cash = CashBook()
        self.cash = self.book_of_cash.settled
        self.settles = settles
        self.positions: dict[str, Position] = {}
        self.instruments: dict[str, Instrument] = {}

    def position(self, symbol: str) -> Position:
        return self.positions.get(symbol, FLAT)

    def restore(self, instrument: Instrument, position: Position) -> None:
        """Take over a stored position."""
        self.positions[instrument.symbol] = position
        self.instruments[instrument.symbol] = instrument

    def deposit(self, currency: str, amount: int) -> None:
        """Pay cash in (or out, negative)."""
        self.cash[currency] = fit(self.cash.get(currency, 0) + amount, f"cash in {currency}")

    def take(self, instrument: Instrument, flow: int, fill: Fill) -> None:
        """Move the cash of a fill: what comes in waits where it is settled later, all else moves at once."""
        if flow <= 0 or self.settles is None:
            self.deposit(instrument.quote, flow)
            return
        settles_ns = self.settles(instrument, fill.venue_ns)
        self.book_of_cash.post(CashEntry(CashKind.TRADE, instrument.quote, flow, fill.venue_ns, settles_ns))

    def book(self, instrument: Instrument, side: Side, fill: Fill) -> None:
        """Book one fill: position, cash and fee move together or, on overflow, not at all.

        A fee in a third currency is paid from the cash of that currency and is no part of the position's fees.
        """
        third = fill.fee_currency != instrument.quote and not instrument.withholds(fill.fee_currency)
        booked = replace(fill, fee=0) if third else fill
        position, flow = settled(self.position(instrument.symbol), instrument, side, booked)
        self.take(instrument, flow, fill)
        if third and fill.fee:
            self.deposit(fill.fee_currency, -fill.fee)
        self.restore(instrument, position)

    def equity(self, currency: str, marks: Mapping[str, int]) -> int:
        """Settled and unsettled cash and the worth of positions quoted in `currency`.

        NotReady (MARK_MISSING) if one has no mark.
        """
        total = self.book_of_cash.total(currency)
        for symbol, position in self.positions.items():
            instrument = self.instruments[symbol]
            if position.quantity and instrument.quote == currency:
                total += position_worth(instrument, position, _mark(symbol, marks))
        return fit(total, f"equity in {currency}")

    def portfolio(self, marks: Mapping[str, int]) -> Portfolio:
        """The books at marks, as decimals. NotReady (MARK_MISSING) if an open position has no mark."""
        views = tuple(
            view_position(
                self.instruments[symbol], position, Mark(_mark(symbol, marks), 0) if position.quantity else None
            )
            for symbol, position in sorted(self.positions.items())
        )
        return Portfolio(
            {currency: from_scaled(amount, currency_scale(currency)) for currency, amount in self.cash.items()},
            views,
            {currency: from_scaled(self.equity(currency, marks), currency_scale(currency)) for currency in self.cash},
        )


def _mark(symbol: str, marks: Mapping[str, int]) -> int:
    mark = marks.get(symbol)
    if mark is None:
        raise NotReady("E_MARK_MISSING", f"no price is known for the open position in {symbol}")
    return mark
