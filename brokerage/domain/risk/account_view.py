"""An account as the pre-trade check sees it: money, marks, and every owner's positions and open-order totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.position import position_value
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import currency_scale, divide
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.domain.risk.exposure import NO_EXPOSURE, Exposure, exposure_of
from brokerage.domain.risk.limits import NO_LIMITS, Limits
from qmtl.core.limits import UNLIMITED, RiskLimits


@dataclass(slots=True)
class AccountView:
    """One account at one moment. `cash` and `books` are those of the account's own records, so they may be live.

    `limits` are the account's own, `world_limits` those of the world that an order comes from; `world_beside` is the
    exposure of that world's other accounts. None: not known or cannot be valued, which is over every limit there is.
    """

    profile: BrokerageProfile
    instruments: Instruments
    base_currency: str
    cash: Mapping[str, int]
    marks: dict[str, Mark] = field(default_factory=dict)
    books: dict[Owner, StrategyBook] = field(default_factory=dict)
    venue: VenueTraits = PAPER
    trading: TradingState = TradingState.ACTIVE
    limits: Limits = NO_LIMITS
    world_limits: RiskLimits = UNLIMITED
    world_beside: Exposure | None = NO_EXPOSURE
    circuit_open: bool = False

    def book(self, owner: Owner) -> StrategyBook:
        """The book of one owner, empty at first."""
        found = self.books.get(owner)
        if found is None:
            found = self.books[owner] = StrategyBook()
        return found

    def in_base(self, amount: int, currency: str) -> int | None:
        """An amount in base currency by the marks of the account; None where no instrument joins the two."""
        if currency == self.base_currency or not amount:
            return amount
        from_scale, to_scale = currency_scale(currency), currency_scale(self.base_currency)
        for symbol, mark in self.marks.items():
            instrument = self.instruments.find(symbol)
            if instrument is None or instrument.multiplier != 1:
                continue
            if (instrument.base, instrument.quote) == (currency, self.base_currency):
                return divide(amount * mark.price * 10**to_scale, 10 ** (from_scale + instrument.price_scale))
            if (instrument.quote, instrument.base) == (currency, self.base_currency):
                return divide(amount * 10 ** (to_scale + instrument.price_scale), mark.price * 10**from_scale)
        return None

    def free(self, currency: str) -> int:
        """What may still be committed. CASH: of one currency, less what open orders may take. MARGIN: in base
        currency, equity less margin and less what open orders may take.

        A position without a price frees nothing under margin: it cannot be shown to be covered.
        """
        if self.profile.funding.kind is BuyingPower.CASH:
            return self.cash.get(currency, 0) - self.committed(currency)
        held = self._margin()
        return 0 if held is None else self.equity() - held

    def committed(self, currency: str) -> int:
        """What all open orders hold of a currency."""
        return sum(self._committed(book, currency) for book in self.books.values())

    def equity(self) -> int:
        """Cash and positions at their marks, in base currency. What cannot be valued adds nothing if it is an asset;
        a debt that cannot be valued leaves no equity. A position without a price adds nothing, which narrows.
        """
        total, owed = 0, False
        for amount, currency in (*self._balances(), *self._values()):
            worth = self.in_base(amount, currency)
            owed |= worth is None and amount < 0
            total += worth or 0
        return min(total, 0) if owed else total

    def exposure(self, world_id: str | None = None, without: tuple[Owner, str] | None = None) -> Exposure | None:
        """What positions and open orders come to at their marks, in base currency: of all owners or those of one
        world, and without one owner's in one symbol. None: a part of it cannot be valued.
        """
        total = NO_EXPOSURE
        for owner, book in self.books.items():
            if world_id is not None and owner.world_id != world_id:
                continue
            for symbol in book.symbols():
                if (owner, symbol) != without:
                    part = self._exposure_in(book, symbol)
                    if part is None:
                        return None
                    total += part
        return total

    def valued(self, exposure: Exposure, currency: str) -> Exposure | None:
        """An exposure in base currency; None where it cannot be converted."""
        if currency == self.base_currency:
            return exposure
        parts = [self.in_base(amount, currency) for amount in (exposure.gross, exposure.long, exposure.short)]
        known = [part for part in parts if part is not None]
        return Exposure(*known) if len(known) == len(parts) else None

    def _exposure_in(self, book: StrategyBook, symbol: str) -> Exposure | None:
        instrument, mark, held = self.instruments.find(symbol), self.marks.get(symbol), book.held(symbol)
        if instrument is None or mark is None:
            return NO_EXPOSURE
        buys, sells = (book.open_totals(symbol, side).reach(side, held) for side in Side)
        return self.valued(exposure_of(instrument, mark.price, held, buys, sells), instrument.quote)

    def _margin(self) -> int | None:
        """What positions and open orders hold of the equity; None if it cannot be told."""
        funding, held = self.profile.funding, 0
        for book in self.books.values():
            for symbol, position in book.ledger.positions.items():
                if position.quantity and symbol not in self.marks:
                    return None
                if position.quantity:
                    instrument = book.ledger.instruments[symbol]
                    value = position_value(instrument, position, self.marks[symbol].price)
                    worth = self.in_base(abs(value), instrument.quote)
                    if worth is None:
                        return None
                    held += funding.held_by_position(worth)
        for currency in {self._quote(symbol) for book in self.books.values() for symbol, _ in book.totals} - {""}:
            committed = self.in_base(self.committed(currency), currency)
            if committed is None:
                return None
            held += committed
        return held

    def _balances(self) -> list[tuple[int, str]]:
        return [(amount, currency) for currency, amount in self.cash.items()]

    def _values(self) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for book in self.books.values():
            for symbol, position in book.ledger.positions.items():
                instrument, mark = book.ledger.instruments[symbol], self.marks.get(symbol)
                if position.quantity and mark is not None:
                    found.append((position_value(instrument, position, mark.price), instrument.quote))
        return found

    def _quote(self, symbol: str) -> str:
        instrument = self.instruments.find(symbol)
        return instrument.quote if instrument is not None else ""

    def _committed(self, book: StrategyBook, currency: str) -> int:
        held = 0
        for symbol in {symbol for symbol, _ in book.totals}:
            instrument, mark = self.instruments.find(symbol), self.marks.get(symbol)
            if instrument is not None and instrument.quote == currency:
                buys, sells = book.open_totals(symbol, Side.BUY), book.open_totals(symbol, Side.SELL)
                held += self.profile.funding.committed(buys, sells, instrument, mark.price if mark else 0)
        return held
