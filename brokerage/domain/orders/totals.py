"""What open orders come to, kept as totals of one side of one strategy in one symbol, so that none need be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import fit
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import MARKET_ONCE_TRIGGERED
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class OpenOrderTotals:
    """Open orders of one side: how many, their unfilled quantity, how much of it is reduce-only, and of those that take
    money (`taking` of them) the notional at their worst price and the quantity that has none and is valued at the mark.
    """

    orders: int = 0
    quantity: int = 0
    taking: int = 0
    priced: int = 0
    unpriced: int = 0
    reducing: int = 0

    def reach(self, side: Side, held: int) -> int:
        """How far they may move a position."""
        return reach(side, held, self.quantity, self.reducing)

    def or_more(self, other: OpenOrderTotals) -> OpenOrderTotals:
        """Field by field the greater of two."""
        return OpenOrderTotals(
            max(self.orders, other.orders),
            max(self.quantity, other.quantity),
            max(self.taking, other.taking),
            max(self.priced, other.priced),
            max(self.unpriced, other.unpriced),
            max(self.reducing, other.reducing),
        )

    def __add__(self, other: OpenOrderTotals) -> OpenOrderTotals:
        if other is NO_OPEN_ORDERS or self is NO_OPEN_ORDERS:
            return self if other is NO_OPEN_ORDERS else other
        return OpenOrderTotals(
            self.orders + other.orders,
            fit(self.quantity + other.quantity, "working quantity"),
            self.taking + other.taking,
            fit(self.priced + other.priced, "working notional"),
            fit(self.unpriced + other.unpriced, "working quantity"),
            self.reducing + other.reducing,
        )

    def __sub__(self, other: OpenOrderTotals) -> OpenOrderTotals:
        if other is NO_OPEN_ORDERS:
            return self
        return OpenOrderTotals(
            self.orders - other.orders,
            self.quantity - other.quantity,
            self.taking - other.taking,
            self.priced - other.priced,
            self.unpriced - other.unpriced,
            self.reducing - other.reducing,
        )


NO_OPEN_ORDERS = OpenOrderTotals()


def reach(side: Side, held: int, quantity: int, reducing: int) -> int:
    """How far orders of one side may move a position: their reduce-only part takes off what is held, and no more."""
    return quantity - reducing + min(reducing, max(-held * side.sign, 0))


def totals_of_new(order: Order, sized: SizedOrder, instrument: Instrument) -> OpenOrderTotals:
    """What an order that is not taken yet would add to the sum of its side."""
    if order.reduce_only:
        return OpenOrderTotals(1, sized.quantity, reducing=sized.quantity)
    price = sized.worst or sized.limit or sized.stop
    if not price:
        return OpenOrderTotals(1, sized.quantity, 1, 0, sized.quantity)
    return OpenOrderTotals(1, sized.quantity, 1, instrument.notional(price, sized.quantity))


def totals_of(record: OrderRecord | None) -> OpenOrderTotals:
    """What one order adds to the sum of its side; while a replace is pending, the more of what works and is wanted."""
    if record is None or record.closed or record.instrument is None or record.waiting:
        return NO_OPEN_ORDERS
    if record.order.shares:  # they count with their owners
        return OpenOrderTotals(1)
    price = record.worst or record.limit or record.stop
    working = _totals_at(record, record.instrument, record.quantity, price)
    wanted = record.wanted
    if wanted is None:
        return working
    price = wanted.worst or wanted.limit or wanted.stop
    return working.or_more(_totals_at(record, record.instrument, wanted.quantity, price))


def totals_of_rivals(records: Iterable[OrderRecord]) -> OpenOrderTotals:
    """What orders of which only one can fill add to the sum of their side: the most that any of them does."""
    total = NO_OPEN_ORDERS
    for record in records:
        total = total.or_more(totals_of(record))
    return total


def totals_by_side(records: Iterable[OrderRecord]) -> dict[tuple[str, Side], OpenOrderTotals]:
    """What orders of one owner come to by symbol and side, rivals counted once."""
    found: dict[tuple[str, Side], OpenOrderTotals] = {}
    left = {record.id: record for record in records}
    while left:
        record = next(iter(left.values()))
        key = (record.order.symbol, record.order.side)
        group = [left.pop(name) for name in (record.id, *record.rivals) if name in left and _is_of(left[name], key)]
        found[key] = found.get(key, NO_OPEN_ORDERS) + totals_of_rivals(group)
    return found


def _is_of(record: OrderRecord, key: tuple[str, Side]) -> bool:
    return (record.order.symbol, record.order.side) == key


def _totals_at(record: OrderRecord, instrument: Instrument, quantity: int, price: int | None) -> OpenOrderTotals:
    """What an order adds under some terms. A stop that was let go is a market order: it has no price."""
    left = max(quantity - record.filled, 0)
    if record.order.reduce_only:
        return OpenOrderTotals(1, left, reducing=left)
    if price is None or (record.triggered and record.order.type in MARKET_ONCE_TRIGGERED):
        return OpenOrderTotals(1, left, 1, 0, left)
    return OpenOrderTotals(1, left, 1, instrument.notional(price, left))
