"""What follows from a venue's lists alone: numbered fills, the events of its orders, and whether an order is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.orders.events import EventTime, Fill
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.venues.listings import MS_NS, ListedOrder, ListedTrade
from brokerage.venues.port import VenueEvent, VenueFill

NEVER_CAME = "NEVER_CAME: the venue does not list it, asked twice after its acceptance window"
NUMBERS_PER_MS = 1_000_000

ReadTrade = tuple[ListedTrade, str, Fill]
"""A trade, the id that its order was sent with, and the trade in the scales of its instrument."""


class Absences:
    """Since when orders are not listed. One that is asked about twice, its venue's acceptance window and a second
    apart, and listed neither time, has never been there.
    """

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}

    def report(self, order: VenueOrder, listed: ListedOrder | None, now_ns: int, window_ns: int) -> VenueReport | None:
        """The answer to a query of an order; None while it may still be on its way."""
        if listed is not None:
            self._since_ns.pop(order.venue_order_id, None)
            time = EventTime(listed.at_ms * MS_NS, now_ns)
            return VenueReport(order.order_id, listed.kind, time, filled=filled_of(order, listed))
        if now_ns - self._since_ns.setdefault(order.venue_order_id, now_ns) < window_ns + SECOND_NS:
            return None
        return VenueReport(order.order_id, EventKind.CANCELED, EventTime(now_ns, now_ns), reason=NEVER_CAME)


def filled_of(order: VenueOrder, listed: ListedOrder) -> Decimal:
    """How much of an order has filled, replaced ones before it included: all but what was left of the last."""
    return order.order.quantity - (listed.quantity - listed.filled)


def counted(number: str) -> tuple[int, str]:
    """A key that sorts ids in the order that they were counted in, where they are numbers; some venues have words."""
    return len(number), number


def in_order(trades: Iterable[ListedTrade]) -> list[ListedTrade]:
    """Trades, oldest first."""
    return sorted(trades, key=lambda one: (one.at_ms, one.symbol, counted(one.trade_id), counted(one.number)))


def fills_after(number: int, trades: Sequence[ReadTrade]) -> list[VenueFill]:
    """The fills after a number, of trades that are in order from its millisecond on."""
    numbered = zip(_numbers([trade.at_ms for trade, _, _ in trades]), trades, strict=True)
    return [VenueFill(at, client_id, fill) for at, (_, client_id, fill) in numbered if at > number]


def events_after(
    number: int, orders: Iterable[ListedOrder], trades: Iterable[ReadTrade], ours: Mapping[str, str]
) -> list[VenueEvent]:
    """What happened after a number: orders were taken, filled, and ended otherwise. `trades` are those from its
    millisecond on; `ours` has our ids of orders by the ids they were sent with, where they are known.
    """

    def report(client_id: str, kind: EventKind, at_ms: int, fill: Fill | None = None) -> VenueReport:
        return VenueReport(ours.get(client_id, client_id), kind, EventTime(at_ms * MS_NS, at_ms * MS_NS), fill)

    found: list[tuple[_Place, VenueReport]] = []
    for one in orders:
        accepted = report(one.client_id, EventKind.ACCEPTED, one.created_ms)
        found.append(((one.created_ms, _ACCEPTED, counted(one.number)), accepted))
        if one.kind is not EventKind.ACCEPTED:
            found.append(((one.at_ms, _ENDED, counted(one.number)), report(one.client_id, one.kind, one.at_ms)))
    for trade, client_id, fill in trades:
        filled = report(client_id, EventKind.FILLED, trade.at_ms, fill)
        found.append(((trade.at_ms, _FILLED, counted(trade.number)), filled))
    ordered = sorted(found, key=lambda one: one[0])
    told = zip(_numbers([place[0] for place, _ in ordered]), ordered, strict=True)
    return [VenueEvent(at, happened) for at, (_, happened) in told if at > number]


_Place = tuple[int, int, tuple[int, str]]
"""Where something stands in the order of things: of one millisecond, an order is there, fills, and ends."""
_ACCEPTED, _FILLED, _ENDED = 0, 1, 2


def _numbers(times_ms: Sequence[int]) -> Iterator[int]:
    """A number for each of a sequence of times: the millisecond, and the place in it."""
    place, last_ms = 0, -1
    for at_ms in times_ms:
        place = place + 1 if at_ms == last_ms else 0
        last_ms = at_ms
        yield at_ms * NUMBERS_PER_MS + place
