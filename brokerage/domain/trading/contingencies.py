"""What orders of a list are due to do: a function of where they stand, so that asking again changes nothing.

It is asked after every event of the list, in the transaction of that event; after a restart it is asked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from brokerage.domain.money import floor_to
from brokerage.domain.orders.order import Contingency, order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState
from qmtl.core.decimals import to_scaled

_ENDS = frozenset({OrderState.CANCELED, OrderState.EXPIRED, OrderState.FILLED})


@dataclass(frozen=True, slots=True)
class Release:
    """A waiting order goes, at first with a quantity."""

    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Resize:
    """An order is worked with another quantity, its filled part included."""

    order_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class End:
    """An order has nothing left to do."""

    order_id: str
    reason: str


Due = Release | Resize | End
Reducible = Callable[[OrderRecord], int]
"""How much of its owner's position an order could take off."""


def due(open_orders: Iterable[OrderRecord], members: Mapping[str, OrderRecord], reducible: Reducible) -> list[Due]:
    """What open orders of lists are due to do; `members` has all orders of their lists by id.

    Nothing for what waits for its venue: it is asked again then.
    """
    acts = [_due(record, members, reducible) for record in open_orders if record.order.list_id]
    return [act for act in acts if act is not None]


def _due(record: OrderRecord, members: Mapping[str, OrderRecord], reducible: Reducible) -> Due | None:
    rivals = [members[name] for name in record.rivals if name in members]
    if record.order.contingency is Contingency.OCO:
        done = [rival for rival in rivals if rival.filled or rival.state in _ENDS]
        if done:
            first = done[0]
            how = "filled" if first.filled else first.state.value.lower()
            return End(record.id, f"OCO: {first.order.client_order_id} is {how}")
    wanted = _entitled(record, members)
    if wanted is None:
        return None
    parent = _parent(record, members)
    if record.order.contingency is Contingency.OUO:
        wanted -= sum(rival.filled for rival in rivals)
        if wanted <= record.filled and any(rival.filled for rival in rivals):
            return End(record.id, "OUO: the others have filled all of it")
    if record.waiting:
        return _first(record, parent, wanted, reducible)
    if record.wanted is not None or record.on_the_wire or record.state is OrderState.PENDING_CANCEL:
        return None
    most = record.filled + _left_to_reduce(record, parent, reducible)
    target = wanted if wanted < record.quantity else min(wanted, most)
    grows = target > record.quantity and parent is not None
    shrinks = record.filled < target < record.quantity and record.order.contingency is Contingency.OUO
    return Resize(record.id, target) if grows or shrinks else None


def _first(record: OrderRecord, parent: OrderRecord | None, wanted: int, reducible: Reducible) -> Due | None:
    """What a waiting order does: it goes with what its parent has filled so far, or ends with it."""
    quantity = min(wanted, _left_to_reduce(record, parent, reducible))
    if quantity > 0:
        return Release(record.id, quantity)
    if parent is None or parent.closed:
        return End(record.id, "its parent has ended and left nothing to do")
    return None


def _entitled(record: OrderRecord, members: Mapping[str, OrderRecord]) -> int | None:
    """The quantity that an order of a list may have by now, in proportion to its parent's fills; None: not known.

    The proportion is to what its parent asked for, so that a weight scales both alike.
    """
    parent = _parent(record, members)
    if not record.order.parent:
        return record.begun if record.order.contingency is Contingency.OUO else record.quantity
    asked, whole = _units(record), 0 if parent is None else _units(parent)
    if asked is None or not whole or parent is None or record.instrument is None:
        return None
    return floor_to(asked * parent.filled // whole, record.instrument.lot)


def _parent(record: OrderRecord, members: Mapping[str, OrderRecord]) -> OrderRecord | None:
    return members.get(order_id(record.order.owner, record.order.parent)) if record.order.parent else None


def _left_to_reduce(record: OrderRecord, parent: OrderRecord | None, reducible: Reducible) -> int:
    """The most that a reduce-only order may still work, to the lot: a fee in base takes part of what was bought."""
    if not record.order.reduce_only or record.instrument is None:
        return record.quantity if parent is None else _units(record) or 0
    return floor_to(reducible(record), record.instrument.lot)


def _units(record: OrderRecord) -> int | None:
    """What an order asked for, in the scale of its instrument."""
    if record.instrument is None:
        return None
    return to_scaled(record.order.quantity, record.instrument.quantity_scale)
