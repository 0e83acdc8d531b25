"""The order book of one owner: its orders, what the open ones come to, and its positions. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals, totals_of, totals_of_rivals
from qmtl.core.errors import NotFound


class StrategyBook:
    """Orders and positions of one owner. Not thread-safe; one caller changes it.

    `totals` counts all open orders, also those that were not loaded; `changed` names the totals that moved since they
    were loaded. `reserved` is what shares of open netted orders may still bring. `heard` gathers the orders whose
    outcome at the venue became known.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self.records: dict[str, OrderRecord] = {}
        self.totals: dict[tuple[str, Side], OpenOrderTotals] = {}
        self.changed: set[tuple[str, Side]] = set()
        self.reserved: dict[tuple[str, Side], OpenOrderTotals] = {}
        self.heard: set[str] = set()
        self._open: dict[str, dict[str, OrderRecord]] = {}
        self._lists: dict[str, dict[str, OrderRecord]] = {}

    def recall(self, records: Iterable[OrderRecord]) -> None:
        """Take over orders that `totals` counts already, in the order of their acceptance."""
        for record in records:
            self._put(record)

    def keep(self, record: OrderRecord) -> None:
        """Take over what became of an order: its record and its part of the totals."""
        known = self.records.get(record.id)
        before, after = self._counted(record, known), self._counted(record, record)
        if before != after:
            key = (record.order.symbol, record.order.side)
            self.totals[key] = self.totals.get(key, NO_OPEN_ORDERS) - before + after
            self.changed.add(key)
        if known is not None and not known.acknowledged and record.acknowledged:
            self.heard.add(record.id)
        self._put(record)

    def _counted(self, of: OrderRecord, as_is: OrderRecord | None) -> OpenOrderTotals:
        """What an order counts for with its rivals on its side, of which only one can fill."""
        if of.order.contingency is None or not of.rivals:
            return totals_of(as_is)
        key = (of.order.symbol, of.order.side)
        others = [self.records[name] for name in of.rivals if name in self.records]
        others = [other for other in others if (other.order.symbol, other.order.side) == key]
        return totals_of_rivals([*others, *([as_is] if as_is is not None else [])])

    def record(self, order_id: str) -> OrderRecord:
        """Raises NotFound (ORDER_UNKNOWN)."""
        record = self.records.get(order_id)
        if record is None:
            raise NotFound("E_ORDER_UNKNOWN", f"order {order_id} is not known")
        return record

    def open_orders(self, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Open orders, of one symbol or of all, in order of acceptance within a symbol."""
        if symbol is not None:
            return tuple(self._open.get(symbol, {}).values())
        return tuple(record for records in self._open.values() for record in records.values())

    @property
    def has_open_orders(self) -> bool:
        """Whether any order is open."""
        return any(self._open.values())

    def open_in_lists(self, list_id: str = "") -> tuple[OrderRecord, ...]:
        """Open orders of one list, or of all lists, in order of acceptance within a list."""
        if list_id:
            return tuple(self._lists.get(list_id, {}).values())
        return tuple(record for records in self._lists.values() for record in records.values())

    def open_totals(self, symbol: str, side: Side) -> OpenOrderTotals:
        """What the open orders of one side in a symbol come to, with the shares of netted ones."""
        own = self.totals.get((symbol, side), NO_OPEN_ORDERS)
        return own + self.reserved[symbol, side] if (symbol, side) in self.reserved else own

    def reserve(self, symbol: str, side: Side, more: OpenOrderTotals) -> None:
        """Count a share of an open netted order."""
        self.reserved[symbol, side] = self.reserved.get((symbol, side), NO_OPEN_ORDERS) + more

    def symbols(self) -> set[str]:
        """Symbols in which something is held or ordered."""
        return {*self.ledger.positions, *(symbol for symbol, _ in (*self.totals, *self.reserved))}

    def held(self, symbol: str) -> int:
        """The signed quantity held."""
        return self.ledger.position(symbol).quantity

    def reducible(self, order: Order) -> int:
        """How much an order may take off the position."""
        held = self.held(order.symbol)
        return abs(held) if held * order.side.sign < 0 else 0

    def reduces(self, order: Order, instrument: Instrument | None) -> bool:
        """Whether an order can only make the position smaller, were it to fill whole."""
        return instrument is not None and order.quantity <= instrument.quantity_decimal(self.reducible(order))

    def _put(self, record: OrderRecord) -> None:
        self.records[record.id] = record
        _show(self._open.setdefault(record.order.symbol, {}), record)
        list_id = record.order.list_id
        if list_id:
            _show(self._lists.setdefault(list_id, {}), record)
            if not self._lists[list_id]:
                del self._lists[list_id]


def _show(open_orders: dict[str, OrderRecord], record: OrderRecord) -> None:
    """Keep an order among those that are open, or no more."""
    if record.closed:
        open_orders.pop(record.id, None)
    else:
        open_orders[record.id] = record
