"""What a dialect of an exchange does: calls out, and rows of decimal text to values."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import PositionSide, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest, Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection

ORDERS_MAX = 1_000
"""How many orders are listed at once, at most."""

CONDITIONAL = frozenset(
    {OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED, OrderType.TRAILING_STOP}
)
"""Orders that wait for a price: an exchange may keep them apart from those that work."""

Row = Mapping[str, object]
_WHOLE = re.compile("-?[0-9]{1,38}")


@dataclass(frozen=True, slots=True)
class OutgoingOrder:
    """An order as it is to be sent, in decimals of its instrument, under the id the venue is to know it by."""

    client_id: str
    symbol: str
    side: Side
    type: OrderType
    tif: TimeInForce
    quantity: Decimal
    limit: Decimal | None
    stop: Decimal | None
    reduce_only: bool
    post_only: bool
    purpose: Purpose
    position_side: PositionSide = PositionSide.BOTH
    trail_offset: Decimal | None = None
    trail_offset_type: TrailOffsetType | None = None


class Dialect(Protocol):
    """One exchange. Reads raise Unavailable (E_VENUE_UNREACHABLE) or Exhausted (E_RATE_LIMITED); `submit`, `replace`
    and `cancel` raise VenueRefused for what the exchange refused; an order it does not know is None. `conditional`
    says that the order was sent as one that waits for a price.
    """

    @property
    def traits(self) -> VenueTraits: ...

    @property
    def lists_per_all(self) -> int:
        """How many lists of one symbol's open orders cost less than the list of all."""
        ...

    async def submit(self, at: Connection, order: OutgoingOrder) -> ListedOrder: ...

    async def replace(self, at: Connection, client_id: str, by: OutgoingOrder) -> ListedOrder | None:
        """End an order of which nothing has filled and send another, in one act of the exchange that does both or
        nothing. None: it has no such act, or not for these two, and nothing has been done.
        """
        ...

    async def cancel(
        self, at: Connection, symbol: str, client_id: str, *, conditional: bool = False
    ) -> ListedOrder | None: ...

    async def order(
        self, at: Connection, symbol: str, *, client_id: str = "", number: str = "", conditional: bool = False
    ) -> ListedOrder | None: ...

    async def open_orders(self, at: Connection, symbol: str) -> list[ListedOrder]: ...

    async def orders(self, at: Connection, symbol: str) -> list[ListedOrder]:
        """The newest orders of a symbol, however they ended, oldest first, ORDERS_MAX at most."""
        ...

    async def trades(self, at: Connection, symbols: Collection[str], since_ms: int) -> list[ListedTrade]:
        """All trades of these symbols from a time on."""
        ...

    async def payments(self, at: Connection, since_ms: int) -> list[ListedPayment]:
        """Money that came or went without a trade and has a reason of its own: funding. From a time on."""
        ...

    async def balances(self, at: Connection) -> dict[str, Decimal]: ...

    async def positions(self, at: Connection) -> dict[str, Decimal]: ...

    async def instruments(self, at: Connection) -> list[Instrument]: ...

    async def told(self, at: Connection) -> None:
        """Wait until the stream tells of an order."""
        ...


def rows(answer: object) -> list[Row]:
    """A list of objects. Raises Unavailable (E_VENUE_UNREACHABLE): an answer that is none."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise unreadable("rows", answer)
    return answer


def plain(row: Row, name: str) -> str:
    """A decimal without trailing zeros, as text."""
    return f"{decimal(row, name).normalize():f}"


def text(row: Row, name: str) -> str:
    """A field as text. Raises Unavailable (E_VENUE_UNREACHABLE): an answer without it is none."""
    found = row.get(name)
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise unreadable(name, found)
    return str(found)


def decimal(row: Row, name: str) -> Decimal:
    """A decimal that the exchange wrote as text: a float has lost its digits and is refused, as is text that is none.

    Raises Unavailable (E_VENUE_UNREACHABLE): what the answer says is not known.
    """
    found = text(row, name)
    try:
        return parse_decimal(found, name)
    except InvalidRequest:
        raise unreadable(name, found) from None


def price(row: Row, name: str) -> Decimal | None:
    """A price; exchanges write 0 for none."""
    return decimal(row, name) or None


def whole(row: Row, name: str) -> int:
    """A whole number: an id or milliseconds. Raises as `decimal`."""
    found = text(row, name)
    if not _WHOLE.fullmatch(found):
        raise unreadable(name, found)
    return int(found)


def json_number(row: Row, name: str) -> Decimal:
    """A JSON number, where an exchange writes one of so few digits that its text is exact. Raises as `decimal`."""
    found = row.get(name)
    if not isinstance(found, float | int) or isinstance(found, bool) or not math.isfinite(found):
        raise unreadable(name, found)
    return Decimal(str(found))


def spot_positions(at: Connection, balances: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Coins by the first instrument that trades them, in order of symbol: on spot a position is a balance."""
    held, found = dict(balances), dict[str, Decimal]()
    for market in sorted(at.exchange.markets.values(), key=lambda one: str(one["symbol"])):
        coins = held.pop(str(market["base"]), None)
        if coins is not None:
            found[str(market["symbol"])] = coins
    return found


def unreadable(name: str, found: object) -> Unavailable:
    return Unavailable("E_VENUE_UNREACHABLE", f"the venue answered {name} {str(found)[:80]!r}, want text or a number")
