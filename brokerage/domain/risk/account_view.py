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

    def free(self, currency: str) -> int:
        """Quote currency that may still be committed: cash, or equity less margin, less what open orders may take.

        A position without a price counts as nothing free under margin: it cannot be shown to be covered.
        """
        free, funding = self.cash.get(currency, 0), self.profile.funding
        for book in self.books.values():
            if funding.kind is BuyingPower.MARGIN:
                for symbol, position in book.ledger.positions.items():
                    instrument = book.ledger.instruments[symbol]
                    if not position.quantity or instrument.quote != currency:
                        continue
                    if symbol not in self.marks:
                        return 0
                    value = position_value(instrument, position, self.marks[symbol].price)
                    free += value - funding.held_by_position(value)
            free -= self._committed(book, currency)
        return free

    def committed(self, currency: str) -> int:
        """What all open orders hold of a currency."""
        return sum(self._committed(book, currency) for book in self.books.values())

    def equity(self, currency: str) -> int:
        """Cash and the positions quoted in a currency; a position without a price adds nothing, which narrows."""
        return self.cash.get(currency, 0) + sum(self._worth(book, currency) for book in self.books.values())

    def exposure(self, world_id: str | None = None, without: tuple[Owner, str] | None = None) -> Exposure:
        """What positions and open orders come to at their marks: of all owners or those of one world, and without
        one owner's in one symbol.
        """
        total = NO_EXPOSURE
        for owner, book in self.books.items():
            if world_id is not None and owner.world_id != world_id:
                continue
            for symbol in book.symbols():
                if (owner, symbol) != without:
                    total += self._exposure_in(book, symbol)
        return total

    def _exposure_in(self, book: StrategyBook, symbol: str) -> Exposure:
        instrument, mark, held = self.instruments.find(symbol), self.marks.get(symbol), book.held(symbol)
        if instrument is None or mark is None:
            return NO_EXPOSURE
        buys, sells = (book.open_totals(symbol, side).reach(side, held) for side in Side)
        return exposure_of(instrument, mark.price, held, buys, sells)

    def _worth(self, book: StrategyBook, currency: str) -> int:
        worth = 0
        for symbol, position in book.ledger.positions.items():
            instrument, mark = book.ledger.instruments[symbol], self.marks.get(symbol)
            if position.quantity and instrument.quote == currency and mark is not None:
                worth += position_value(instrument, position, mark.price)
        return worth

    def _committed(self, book: StrategyBook, currency: str) -> int:
        held = 0
        for symbol in {symbol for symbol, _ in book.totals}:
            instrument, mark = self.instruments.find(symbol), self.marks.get(symbol)
            if instrument is not None and instrument.quote == currency:
                buys, sells = book.open_totals(symbol, Side.BUY), book.open_totals(symbol, Side.SELL)
                held += self.profile.funding.committed(buys, sells, instrument, mark.price if mark else 0)
        return held
