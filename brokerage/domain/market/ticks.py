"""Quotes, trades and mark prices of one symbol as they happen, and what is known of its market after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import TriggerPrice
from brokerage.domain.market.mark import Mark

STALE_AFTER_NS = 3_600_000_000_000
"""A quote that is older than an hour prices nothing. Source: Lean, StalePriceTimeSpan."""


@dataclass(frozen=True, slots=True)
class Level:
    """A price of one side of a book and the quantity there, at the instrument's scales."""

    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class QuoteTick:
    """The book at an instant, as far as it is shown, best first: falling bids, rising asks. It replaces the one before;
    a side without levels has nobody on it.
    """

    at_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class TradeTick:
    """A trade of others, or the sum of those at one price at one instant. `quantity` is scaled base quantity."""

    at_ns: int
    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class MarkTick:
    """The price that a venue values positions at, from this instant on."""

    at_ns: int
    price: int


Tick = QuoteTick | TradeTick | MarkTick
MarketEvent = Bar | Tick


def ends_ns(event: MarketEvent) -> int:
    """When an event of a market is known."""
    return event.end_ns if isinstance(event, Bar) else event.at_ns


@dataclass(slots=True)
class SeenMarket:
    """What ticks have shown of a symbol's market, for one account: `bids` and `asks` are those of the last quote less
    what the account's own orders took of it, `tradable` is what they may still have of the last trade (negative: all
    that they ask for). Instants of 0: there was none yet.
    """

    at_ns: int = 0
    quoted_ns: int = 0
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    traded_ns: int = 0
    last: int = 0
    last_quantity: int = 0
    tradable: int = 0
    marked_ns: int = 0
    mark: int = 0

    def show(self, tick: Tick) -> None:
        """Take the next tick over; they come in order of time."""
        self.at_ns = tick.at_ns
        match tick:
            case QuoteTick(at_ns=at_ns, bids=bids, asks=asks):
                self.quoted_ns, self.bids, self.asks = at_ns, bids, asks
            case TradeTick(at_ns=at_ns, price=price, quantity=quantity):
                self.traded_ns, self.last, self.last_quantity = at_ns, price, quantity
            case MarkTick(at_ns=at_ns, price=price):
                self.marked_ns, self.mark = at_ns, price

    def forget(self) -> None:
        """Take nothing that was shown for true any more: after a split prices and quantities are others."""
        self.quoted_ns, self.bids, self.asks = 0, (), ()
        self.traded_ns, self.last, self.last_quantity, self.tradable = 0, 0, 0, 0
        self.marked_ns, self.mark = 0, 0

    def quoted(self, at_ns: int) -> bool:
        """Whether the last quote still counts at an instant."""
        return bool(self.quoted_ns) and self.quoted_ns >= at_ns - STALE_AFTER_NS

    def best(self, at_ns: int) -> tuple[int, int]:
        """Best bid and ask that count at an instant; 0: none does."""
        if not self.quoted(at_ns):
            return 0, 0
        return self.bids[0].price if self.bids else 0, self.asks[0].price if self.asks else 0

    def value(self) -> Mark | None:
        """What positions are valued at: the venue's mark price, where it gives none the last trade, where nothing was
        traded the middle of bid and ask, down. None: a side is missing.
        """
        price = self.mark if self.marked_ns else self.last
        if not (self.marked_ns or self.traded_ns):
            if not (self.bids and self.asks):
                return None
            price = (self.bids[0].price + self.asks[0].price) // 2
        return Mark(price, self.at_ns)


def first_price(tick: Tick) -> int | None:
    """The price that a tick gives by itself: of a quote the middle, down, or that of its one side; None: none."""
    if not isinstance(tick, QuoteTick):
        return tick.price
    best = [side[0].price for side in (tick.bids, tick.asks) if side]
    return sum(best) // len(best) if best else None


def trigger_bar(trigger: TriggerPrice, tick: Tick, *, buys: bool) -> Bar | None:
    """The price by which a tick tests stops of a side, as a bar of that price; None: it tests none. Stops to buy are
    tested by the ask, to sell by the bid, where quotes test them.
    """
    price, volume = 0, 0
    match tick:
        case TradeTick() if trigger is TriggerPrice.LAST:
            price, volume = tick.price, tick.quantity
        case MarkTick() if trigger is TriggerPrice.MARK:
            price = tick.price
        case QuoteTick(bids=bids, asks=asks) if trigger is TriggerPrice.QUOTE:
            found: Sequence[Level] = asks if buys else bids
            price = found[0].price if found else 0
    return Bar(tick.at_ns, tick.at_ns, price, price, price, price, volume) if price else None


def tested_bar(trigger: TriggerPrice, tick: Tick) -> Bar | None:
    """As `trigger_bar` for stops of both sides: its high tests those to buy, its low those to sell."""
    buys, sells = (trigger_bar(trigger, tick, buys=side) for side in (True, False))
    shown = buys or sells
    if shown is None:
        return None
    high, low = (0 if buys is None else buys.high), (_BEYOND if sells is None else sells.low)
    return Bar(tick.at_ns, tick.at_ns, shown.open, high, low, shown.close, shown.volume)


_BEYOND = 10**48
"""No price of anything: a side without a price reaches no stop."""


def as_instant(tick: Tick, price: int) -> Bar:
    """A bar of no length to speak of that opens with a tick."""
    return Bar(tick.at_ns, tick.at_ns + 1, price, price, price, price, 0)
