"""The order record: the fold of an order's events, by the same step when they are made and when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import fit
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import EventTime, Fill, OrderEvent, WorkedTerms
from brokerage.domain.orders.order import Contingency, Order, order_id
from brokerage.domain.orders.states import (
    CLOSED,
    PENDING,
    UNHEARD,
    EventKind,
    FillFlag,
    OrderState,
    OrderType,
    OrderView,
    TimeInForce,
    after,
    after_fill,
    after_update,
    view_of,
)
from qmtl.core.decimals import to_scaled
from qmtl.core.errors import Conflict
from qmtl.core.fast_init import fast_init
from qmtl.core.netting.attribution import booked_after, split_fee


@fast_init
@dataclass(frozen=True, slots=True)
class OrderRecord:
    """What is known of an order: the fold of its events.

    `worst` is the worst price it can trade at, by what was known when it was taken; 0: none, or an order of before.
    `wanted` are the terms of a replace whose outcome is not known; `replaces` counts the replaces that were asked for,
    and `generation` is the number of the one that works. `begun` is the quantity it was taken with; `booked` what the
    shares of a netted order have got of its fills, signed.
    """

    id: str
    order: Order
    instrument: Instrument | None
    state: OrderState
    previous: OrderState
    seq: int
    quantity: int
    limit: int | None
    stop: int | None
    expire_ns: int | None
    filled: int = 0
    notional: int = 0
    triggered: bool = False
    accepted_ns: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    denial: Denial | None = None
    detail: str = ""
    flag: FillFlag | None = None
    unresolved: bool = False
    worst: int = 0
    wanted: WorkedTerms | None = None
    replaces: int = 0
    generation: int = 0
    begun: int = 0
    booked: tuple[int, ...] = ()

    @property
    def terms(self) -> WorkedTerms:
        """What is worked."""
        return WorkedTerms(self.quantity, self.limit, self.stop, self.expire_ns, self.worst)

    @property
    def closed(self) -> bool:
        return self.state in CLOSED

    @property
    def waiting(self) -> bool:
        """An order of a list whose parent has not filled: it is not worked, and holds nothing."""
        return self.state is OrderState.INITIALIZED and bool(self.order.parent)

    @property
    def rivals(self) -> list[str]:
        """Ids of the orders of its list of which it is one of: what one fills, the others do not."""
        if self.order.contingency not in _RIVALRIES:
            return []
        return [order_id(self.order.owner, name) for name in self.order.linked]

    @property
    def acknowledged(self) -> bool:
        """Whether the venue has been heard about it. Before, only the venue knows whether it is there."""
        return self.previous not in UNHEARD

    @property
    def let_go(self) -> bool:
        """A stop that was watched here and was reached: a market order since."""
        return self.triggered and self.order.type is OrderType.STOP_MARKET

    @property
    def rests_nowhere(self) -> bool:
        """Whether it is done at once or not at all."""
        at_once = self.order.type is OrderType.MARKET or self.order.tif in (TimeInForce.IOC, TimeInForce.FOK)
        return self.let_go or at_once

    @property
    def on_the_wire(self) -> bool:
        """Sent, and the venue's answer is not known."""
        return self.previous is OrderState.SUBMITTED

    @property
    def remaining(self) -> int:
        return max(self.quantity - self.filled, 0)

    @property
    def public(self) -> OrderView:
        return view_of(self.state, self.filled)


def born(order: Order, instrument: Instrument | None, event: OrderEvent) -> OrderRecord:
    """The record after its first event, which must be INITIALIZED."""
    if event.kind is not EventKind.INITIALIZED or event.seq != 1:
        raise Conflict("E_ORDER_EVENT_ILLEGAL", f"order {event.order_id} must begin with INITIALIZED, seq 1")
    return OrderRecord(
        id=event.order_id,
        order=order,
        instrument=instrument,
        state=OrderState.INITIALIZED,
        previous=OrderState.INITIALIZED,
        seq=1,
        quantity=event.quantity,
        limit=event.limit,
        stop=event.stop,
        expire_ns=event.expire_ns,
        created_ns=event.received_ns,
        updated_ns=event.received_ns,
        worst=event.worst,
        begun=event.quantity,
    )


def advance(record: OrderRecord, event: OrderEvent) -> OrderRecord:
    """Fold one event. Raises Conflict when it is illegal here, its seq is not the next, or its state is not ours."""
    if event.seq != record.seq + 1:
        raise Conflict("E_ORDER_EVENT_GAP", f"order {record.id} is at seq {record.seq}, got {event.seq}")
    state, filled, flag = _step(record, event.kind, event.fill, event.quantity)
    if state is not event.state or filled != event.cumulative:
        raise Conflict("E_ORDER_EVENT_DAMAGED", f"order {record.id} seq {event.seq}: state or total is not its fold")
    return _folded(record, event, flag)


def _step(
    record: OrderRecord, kind: EventKind, fill: Fill | None, quantity: int
) -> tuple[OrderState, int, FillFlag | None]:
    """State, filled total and flag after an event; `quantity` is what an update changes the order to."""
    if kind not in _FILLS:
        state = after(record.state, record.previous, kind, record.order.type, record.order.tif)
        if kind in _UPDATES:
            state = after_update(state, record.filled, quantity)
        elif kind in _REFUSED_UPDATES and state not in CLOSED:
            state = after_update(state, record.filled, record.quantity)  # it may have filled meanwhile
        return state, record.filled, None
    if fill is None or record.instrument is None:
        raise Conflict("E_ORDER_EVENT_ILLEGAL", f"order {record.id}: FILLED without a fill or an instrument")
    filled = fit(record.filled + fill.quantity, "cumulative quantity")
    wanted = 0 if record.wanted is None else record.wanted.quantity  # of which the venue may have filled some
    state, flag = after_fill(record.state, filled, max(record.quantity, wanted))
    return state, filled, flag


def _folded(record: OrderRecord, event: OrderEvent, flag: FillFlag | None) -> OrderRecord:
    kind, notional = event.kind, record.notional
    if event.fill is not None and record.instrument is not None:
        traded = record.instrument.notional(event.fill.price, event.fill.quantity)
        notional = fit(notional + traded, "cumulative notional")
    changed = kind in _UPDATES
    wanted, replaces, generation = _replaced(record, event)
    return OrderRecord(
        record.id,
        record.order,
        record.instrument,
        event.state,
        record.previous if event.state in PENDING else event.state,
        event.seq,
        event.quantity if changed else record.quantity,
        event.limit if changed else record.limit,
        event.stop if changed else record.stop,
        event.expire_ns if changed else record.expire_ns,
        event.cumulative,
        notional,
        record.triggered or (kind in _TRIGGERS and _triggered(record, event)),
        _eligible_from(record, event) if kind in _BEGINNINGS else record.accepted_ns,
        record.created_ns,
        event.received_ns,
        event.denial if kind in _DENIALS else record.denial,
        event.detail if kind in _FILLS else event.detail or record.detail,
        flag or record.flag,
        event.unresolved,
        event.worst if changed else record.worst,
        wanted,
        replaces,
        generation,
        record.begun,
        booked_with(record, event.cumulative) if event.fill is not None and record.order.shares else record.booked,
    )


def booked_with(record: OrderRecord, filled: int) -> tuple[int, ...]:
    """What the shares of a netted order have of it, signed, once so much of it is filled."""
    if record.instrument is None:
        return record.booked
    shares = share_units(record.order, record.instrument)
    return tuple(booked_after(shares, record.instrument.lot, filled, record.booked or [0] * len(shares)))


def share_fees(instrument: Instrument, fill: Fill, booked: Sequence[int]) -> list[int]:
    """The fee of a fill by what it brought each share; one that is withheld from what is bought, by the buyers."""
    withheld = instrument.withholds(fill.fee_currency) and fill.fee_currency != instrument.quote
    buys = fill.quantity and sum(booked) > 0
    weights = [max(units, 0) if withheld and buys else units for units in booked]
    return split_fee(fill.fee, weights) if any(weights) else [0] * len(weights)


def share_units(order: Order, instrument: Instrument) -> list[int]:
    """The shares of a netted order in the instrument's scale. Raises InvalidRequest (E_DECIMAL)."""
    return [to_scaled(share.quantity, instrument.quantity_scale) for share in order.shares]


def _replaced(record: OrderRecord, event: OrderEvent) -> tuple[WorkedTerms | None, int, int]:
    """What is asked for after an event, how many replaces were, and which of them works.

    An update to other terms than those asked for (a message, the venue's own change) leaves the replace pending.
    """
    if record.wanted is None and event.kind not in TERMED:
        return None, record.replaces, record.generation
    if event.kind is EventKind.PENDING_UPDATE and record.wanted is None:
        return event.terms, record.replaces + 1, record.generation
    if event.kind is EventKind.UPDATED and record.wanted == event.terms:
        return None, record.replaces, record.replaces
    gone = event.kind is EventKind.MODIFY_REJECTED or event.state in CLOSED
    return None if gone else record.wanted, record.replaces, record.generation


_RIVALRIES = frozenset({Contingency.OCO, Contingency.OUO})
_BEGINNINGS = frozenset({EventKind.EMULATED, EventKind.ACCEPTED})
TERMED = frozenset({EventKind.UPDATED, EventKind.PENDING_UPDATE})
"""Kinds of events that have terms."""

# Sets, as it takes Python 3.11 longer to find a member of an enum than to look for one in a set.
_FILLS = frozenset({EventKind.FILLED})
_UPDATES = frozenset({EventKind.UPDATED})
_REFUSED_UPDATES = frozenset({EventKind.MODIFY_REJECTED})
_DENIALS = frozenset({EventKind.DENIED})
_TRIGGERS = frozenset({EventKind.TRIGGERED, EventKind.RELEASED})

_NO_TERMS = WorkedTerms(0, None, None, None, 0)


def _triggered(record: OrderRecord, event: OrderEvent) -> bool:
    """Whether its stop was reached, at the venue or, of one that is emulated, here: that is a market order since."""
    return event.kind is EventKind.TRIGGERED or record.state is OrderState.EMULATED


def _eligible_from(record: OrderRecord, event: OrderEvent) -> int:
    """Start of the first bar that counts: its first acceptance (or emulation), and never before its decision."""
    if record.acknowledged and record.accepted_ns:
        return record.accepted_ns
    return max(event.at_ns, record.order.decided_ns or 0)


def happened(
    record: OrderRecord,
    kind: EventKind,
    time: EventTime,
    *,
    fill: Fill | None = None,
    denial: Denial | None = None,
    detail: str = "",
    unresolved: bool = False,
    terms: WorkedTerms | None = None,
) -> tuple[OrderRecord, OrderEvent]:
    """Make the next event of an order and fold it in.

    With UPDATED `terms` are worked from now on (None: as before), with PENDING_UPDATE they are asked for.
    """
    worked = (terms or record.terms) if kind in TERMED else _NO_TERMS
    state, filled, flag = _step(record, kind, fill, worked.quantity)
    booked: tuple[int, ...] = ()
    if fill is not None and record.order.shares:
        before = record.booked or (0,) * len(record.order.shares)
        booked = tuple(now - was for now, was in zip(booked_with(record, filled), before, strict=True))
    event = OrderEvent(
        record.id,
        record.seq + 1,
        kind,
        time.at_ns,
        time.received_ns,
        state,
        filled,
        fill,
        denial,
        detail,
        flag,
        worked.quantity,
        worked.limit,
        worked.stop,
        worked.expire_ns,
        unresolved,
        worked.worst,
        booked,
    )
    return _folded(record, event, flag), event


def accept_fill(fill: Fill, known: Fill | None) -> bool:
    """Whether a reported fill is new. A repeat with the same content is not; with other content it is an error."""
    if known is None:
        return True
    if known == fill:
        return False
    raise Conflict("E_TRADE_ID_REUSED", f"trade {fill.trade_id} was booked with other content")
