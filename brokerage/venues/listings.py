"""What a venue lists of its orders and trades, ours or not, and the venue that is compared with the books by it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.venues.port import Venue
from qmtl.core.decimals import to_scaled

MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order as the venue lists it. `client_id` is the id it was sent with, `number` the venue's own id of it; `kind`
    what became of it: ACCEPTED while it works and once it has filled, else how it ended. `forced`: why the venue
    itself has sent it (LIQUIDATION, DELEVERAGING, SETTLEMENT); empty: a client has.
    """

    client_id: str
    number: str
    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal | None
    stop: Decimal | None
    filled: Decimal
    kind: EventKind
    reduce_only: bool
    created_ms: int
    at_ms: int
    forced: str = ""

    @property
    def works(self) -> bool:
        """Whether it may still trade."""
        return self.kind is EventKind.ACCEPTED and self.filled < self.quantity


@dataclass(frozen=True, slots=True)
class ListedTrade:
    """One side of a trade as the venue lists it; both sides of a self-trade have one `trade_id`, which says nothing
    beyond its symbol. `number` is the venue's own id of the order.
    """

    trade_id: str
    number: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    at_ms: int

    @property
    def place(self) -> tuple[str, str]:
        """Symbol and number of its order: numbers are unique within a symbol."""
        return self.symbol, self.number


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """Funding that the venue took or paid. `number` is the venue's own id of it, unique in the account."""

    number: str
    symbol: str
    currency: str
    amount: Decimal
    at_ms: int


class ListedVenue(Venue, Protocol):
    """A venue that lives elsewhere: its lists are the truth, and the books follow them."""

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        """Trades of all instruments from a time on, oldest first. One may be listed late."""
        ...

    async def payments(self, since_ms: int) -> list[ListedPayment]:
        """Funding from a time on, oldest first; nothing where the venue has none."""
        ...

    async def working(self) -> list[ListedOrder]:
        """The orders that work."""
        ...

    async def told(self) -> None:
        """Wait until the venue tells of an order. Raises Unavailable (E_VENUE_UNREACHABLE): its stream is broken."""
        ...

    async def listed(self, symbol: str, number: str) -> ListedOrder | None:
        """An order by the venue's own id; None where the venue lists it no longer."""
        ...


def taken(order: VenueOrder, number: str, at_ms: int) -> ListedOrder:
    """An order as a venue that took it under a number of its own lists it at first."""
    asked = order.order
    return ListedOrder(
        client_id=order.venue_order_id,
        number=number,
        symbol=asked.symbol,
        side=asked.side,
        quantity=asked.quantity,
        limit=asked.limit_price,
        stop=asked.stop_price,
        filled=Decimal(0),
        kind=EventKind.ACCEPTED,
        reduce_only=asked.reduce_only,
        created_ms=at_ms,
        at_ms=at_ms,
    )


def filled(instrument: Instrument, trade: ListedTrade) -> Fill:
    """A trade in the instrument's scales. Raises InvalidRequest for what they cannot hold: nothing is rounded."""
    in_base = instrument.withholds(trade.fee_currency)
    return Fill(
        trade_id=trade.trade_id,
        quantity=to_scaled(trade.quantity, instrument.quantity_scale),
        price=instrument.price_units(trade.price),
        fee=to_scaled(trade.fee, instrument.quantity_scale if in_base else currency_scale(trade.fee_currency)),
        fee_currency=trade.fee_currency,
        liquidity=trade.liquidity,
        venue_ns=trade.at_ms * MS_NS,
    )
