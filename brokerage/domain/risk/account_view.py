"""An account as the pre-trade check sees it: money, marks, and every owner's positions and open-order totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.limits import NO_ACCOUNT_LIMITS, AccountLimits
from brokerage.domain.accounts.position import position_worth
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.margins import Held
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import currency_scale, divide
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.totals import OpenOrderTotals
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.domain.risk.exposure import NO_EXPOSURE, Exposure, exposure_of
from brokerage.domain.risk.limits import NO_LIMITS, Limits
from qmtl.core.limits import UNLIMITED, RiskLimits

_Added = tuple[StrategyBook, OpenOrderTotals, Side] | None
"""What the owner of a book would work more on a side."""


@dataclass(slots=True)
class AccountView:
    """One account at one moment. `cash` (what is settled of it) and `books` are those of the account's own records, so
    they may be live.

    `limits` are the account's own, `world_limits` those of the world that an order comes from; `world_beside` is the
    exposure of that world's other accounts. None: not known or cannot be valued, which is over every limit there is.
    `endings` are the instants from which symbols trade no more.
    """

    profile: BrokerageProfile
    instruments: Instruments
    base_currency: str
    cash: Mapping[str, int]
    unsettled: Mapping[str, int] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    books: dict[Owner, StrategyBook] = field(default_factory=dict)
    venue: VenueTraits = PAPER
    trading: TradingState = TradingState.ACTIVE
    limits: Limits = NO_LIMITS
    world_limits: RiskLimits = UNLIMITED
    world_beside: Exposure | None = NO_EXPOSURE
    account_limits: AccountLimits = NO_ACCOUNT_LIMITS
    circuit_open: bool = False
    endings: dict[str, int] = field(default_factory=dict)

    def tradable(self, symbol: str, at_ns: int) -> bool:
        """Whether a symbol still trades at an instant."""
        ends_ns = self.endings.get(symbol)
        return ends_ns is None or at_ns < ends_ns

    def book(self, owner: Owner) -> StrategyBook:
        """The book of one owner, empty at first."""
        found = self.books.get(owner)
        if found is None:
            found = self.books[owner] = StrategyBook(Ledger(self.profile.settles))
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
        held = self._held_at_worst()
        return 0 if held is None else self.equity() - held

    def committed(self, currency: str) -> int:
        """What all open orders hold of a currency; under margin, beyond what their positions hold already."""
        together: dict[str, int] = {}
        return sum(self._committed(book, currency, together) for book in self.books.values())

    def held_at_worst(self, owner: Owner, instrument: Instrument, more: OpenOrderTotals, side: Side) -> int:
        """What one owner's position in an instrument, its open orders and `more` on a side hold of the equity; with
        what those of the others do, where all of them together decide on its margin tier.
        """
        book = self.book(owner)
        added = book, more, side
        if not self.profile.funding.by_tiers(instrument):
            return self._worst_of(book, instrument, 0, added)
        together = self._together(instrument, added)
        return sum(self._worst_of(one, instrument, together, added) for one in self.books.values())

    def _worst_of(self, book: StrategyBook, instrument: Instrument, together: int, added: _Added = None) -> int:
        """What one owner holds of the equity in an instrument. `together`: see the method of this name."""
        mark, held = self.marks.get(instrument.symbol), book.held(instrument.symbol)
        price, at_ns = (mark.price, mark.at_ns) if mark else (0, 0)
        buys, sells = _sides(book, instrument.symbol, added)
        beside = together - self._gross(book, instrument, added) if together else 0
        return self.profile.funding.at_worst(instrument, price, held, buys, sells, at_ns, beside)

    def _together(self, instrument: Instrument, added: _Added = None) -> int:
        """The most notional that all owners hold or work in an instrument whose tier goes by all of it; else 0."""
        if not self.profile.funding.by_tiers(instrument):
            return 0
        return sum(self._gross(book, instrument, added) for book in self.books.values())

    def _gross(self, book: StrategyBook, instrument: Instrument, added: _Added = None) -> int:
        """The most notional that one owner holds or works in an instrument, at its mark."""
        symbol, mark = instrument.symbol, self.marks.get(instrument.symbol)
        held, sides = book.held(symbol), _sides(book, symbol, added)
        reaches = [totals.reach(side, held) for side, totals in zip(Side, sides, strict=True)]
        return exposure_of(instrument, mark.price if mark else 0, held, *reaches).gross

    def held_beside(self, owner: Owner, instrument: Instrument) -> int:
        """The most notional that other owners may hold in an instrument, at its mark; 0 where it has no tiers."""
        together, book = self._together(instrument), self.books.get(owner)
        return together - self._gross(book, instrument) if together and book is not None else together

    def equity(self) -> int:
        """Cash, settled or not, and positions at their marks, in base currency. What cannot be valued adds nothing if
        it is an asset; a debt that cannot be valued leaves no equity. A position without a price adds nothing, which
        narrows.
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

    def exposures_with(self, order: Order, together: int) -> list[tuple[Owner, str, Exposure | None]]:
        """Exposure of each owner in each symbol, were `order` to bring its side to `together` in its symbol. None: it
        cannot be valued.
        """
        found: list[tuple[Owner, str, Exposure | None]] = []
        for owner, book in self.books.items():
            own = owner == order.owner
            for symbol in book.symbols() | ({order.symbol} if own else set()):
                instrument, mark, held = self.instruments.find(symbol), self.marks.get(symbol), book.held(symbol)
                reaches = [book.open_totals(symbol, side).reach(side, held) for side in Side]
                if own and symbol == order.symbol:
                    reaches[list(Side).index(order.side)] = together
                if instrument is not None and mark is not None:
                    part = exposure_of(instrument, mark.price, held, *reaches)
                    found.append((owner, symbol, self.valued(part, instrument.quote)))
                elif held or any(reaches):
                    found.append((owner, symbol, None))
        return found

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

    def _held_at_worst(self) -> int | None:
        """What positions and open orders hold of the equity; None if it cannot be told."""
        total, together = 0, dict[str, int]()
        for book in self.books.values():
            for symbol in book.symbols():
                instrument = self.instruments.find(symbol) or book.ledger.instruments.get(symbol)
                if instrument is None or (book.held(symbol) and symbol not in self.marks):
                    return None
                if symbol not in together:
                    together[symbol] = self._together(instrument)
                held = self.in_base(self._worst_of(book, instrument, together[symbol]), instrument.quote)
                if held is None:
                    return None
                total += held
        return total

    def _balances(self) -> list[tuple[int, str]]:
        return [(amount, currency) for of in (self.cash, self.unsettled) for currency, amount in of.items()]

    def _values(self) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for book in self.books.values():
            for symbol, position in book.ledger.positions.items():
                instrument, mark = book.ledger.instruments[symbol], self.marks.get(symbol)
                if position.quantity and mark is not None:
                    found.append((position_worth(instrument, position, mark.price), instrument.quote))
        return found

    def _committed(self, book: StrategyBook, currency: str, together: dict[str, int]) -> int:
        """What the open orders of one owner hold of a currency; `together` keeps what was summed over all owners."""
        funding, total = self.profile.funding, 0
        for symbol in {symbol for symbol, _ in (*book.totals, *book.reserved)}:
            instrument, mark = self.instruments.find(symbol), self.marks.get(symbol)
            if instrument is None or instrument.quote != currency:
                continue
            price, at_ns, held = mark.price if mark else 0, mark.at_ns if mark else 0, book.held(symbol)
            if funding.kind is BuyingPower.CASH:
                total += funding.committed(book.open_totals(symbol, Side.BUY), instrument, price)
                continue
            if symbol not in together:
                together[symbol] = self._together(instrument)
            beside = together[symbol] - self._gross(book, instrument) if together[symbol] else 0
            alone = funding.initial(Held(instrument, held, instrument.notional(price, held), at_ns, beside))
            total += self._worst_of(book, instrument, together[symbol]) - alone
        return total


def _sides(book: StrategyBook, symbol: str, added: _Added) -> tuple[OpenOrderTotals, OpenOrderTotals]:
    """Buys and sells that a book works in a symbol, with what is added to it."""
    buys, sells = book.open_totals(symbol, Side.BUY), book.open_totals(symbol, Side.SELL)
    if added is None or added[0] is not book:
        return buys, sells
    return (buys + added[1], sells) if added[2] is Side.BUY else (buys, sells + added[1])
