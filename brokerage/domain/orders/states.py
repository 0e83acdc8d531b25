"""The order state machine: one table, from state and event to state, with the odd rows annotated.

Events of the table that are missing here are illegal and raise; nothing is coerced. Fills are the exception by
design: a venue's fill is a fact, so `after_fill` has an answer in every state and flags what should not have been.
"""

from __future__ import annotations

from enum import Enum

from qmtl.core.errors import Conflict


class OrderState(Enum):
    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    EMULATED = "EMULATED"
    RELEASED = "RELEASED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRIGGERED = "TRIGGERED"
    PENDING_UPDATE = "PENDING_UPDATE"
    PENDING_CANCEL = "PENDING_CANCEL"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"

    __hash__ = object.__hash__  # members are single: that of Enum hashes the name in Python, at every look-up


class EventKind(Enum):
    """What happened to an order. INITIALIZED is the birth of the record and is legal only as its first event."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    EMULATED = "EMULATED"
    RELEASED = "RELEASED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRIGGERED = "TRIGGERED"
    PENDING_UPDATE = "PENDING_UPDATE"
    PENDING_CANCEL = "PENDING_CANCEL"
    MODIFY_REJECTED = "MODIFY_REJECTED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    UPDATED = "UPDATED"
    FILLED = "FILLED"

    __hash__ = object.__hash__  # members are single: that of Enum hashes the name in Python, at every look-up


class OrderView(Enum):
    """What clients see. PARTIALLY_FILLED also covers pending orders with something filled."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"


class FillFlag(Enum):
    """Why a booked fill should not have happened; the account then trades only to reduce."""

    OVERFILL = "OVERFILL"
    UNEXPECTED = "UNEXPECTED"


class OrderType(Enum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_MARKET = "STOP_MARKET"
    STOP_LIMIT = "STOP_LIMIT"
    LIMIT_IF_TOUCHED = "LIMIT_IF_TOUCHED"
    TRAILING_STOP = "TRAILING_STOP"
    TRAILING_STOP_LIMIT = "TRAILING_STOP_LIMIT"

    __hash__ = object.__hash__  # members are single: that of Enum hashes the name in Python, at every look-up


class TimeInForce(Enum):
    GTC = "GTC"
    DAY = "DAY"
    GTD = "GTD"
    IOC = "IOC"
    FOK = "FOK"
    AT_OPEN = "AT_OPEN"
    AT_CLOSE = "AT_CLOSE"

    __hash__ = object.__hash__  # members are single: that of Enum hashes the name in Python, at every look-up


AUCTIONS = frozenset({TimeInForce.AT_OPEN, TimeInForce.AT_CLOSE})
"""Good for one auction, and nothing after it."""

_S, _E = OrderState, EventKind

CLOSED = frozenset({_S.DENIED, _S.REJECTED, _S.CANCELED, _S.EXPIRED, _S.FILLED})
PENDING = frozenset({_S.PENDING_UPDATE, _S.PENDING_CANCEL})
UNHEARD = frozenset({_S.INITIALIZED, _S.EMULATED, _S.RELEASED, _S.SUBMITTED})
_UNSENT = UNHEARD - {_S.SUBMITTED}
_COMPLETE = frozenset({_S.DENIED, _S.FILLED})
"""States in which nothing more is to be filled."""
TRIGGERABLE = frozenset(
    {
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.LIMIT_IF_TOUCHED,
        OrderType.TRAILING_STOP,
        OrderType.TRAILING_STOP_LIMIT,
    }
)
"""Types with a price that makes another order of them: of those that become market orders it is told where they could
not fill whole at once, as the rest is a market order from then on.
"""

MARKET_ONCE_TRIGGERED = frozenset({OrderType.STOP_MARKET, OrderType.TRAILING_STOP})


class _Move(Enum):
    STAYS = "stays"
    RESTORES = "restores the last state that was not pending"


_STAYS, _RESTORES = _Move.STAYS, _Move.RESTORES
_Next = OrderState | _Move

_WORKING: dict[EventKind, _Next] = {
    _E.REJECTED: _S.REJECTED,
    _E.PENDING_UPDATE: _S.PENDING_UPDATE,
    _E.PENDING_CANCEL: _S.PENDING_CANCEL,
    _E.CANCELED: _S.CANCELED,
    _E.EXPIRED: _S.EXPIRED,
    _E.UPDATED: _STAYS,
}

TABLE: dict[OrderState, dict[EventKind, _Next]] = {
    _S.INITIALIZED: {
        _E.DENIED: _S.DENIED,
        _E.EMULATED: _S.EMULATED,
        _E.RELEASED: _S.RELEASED,
        _E.SUBMITTED: _S.SUBMITTED,
        # Orders first seen at the venue start here and skip our own steps.
        _E.REJECTED: _S.REJECTED,
        _E.ACCEPTED: _S.ACCEPTED,
        _E.CANCELED: _S.CANCELED,
        _E.EXPIRED: _S.EXPIRED,
        _E.TRIGGERED: _S.TRIGGERED,
        _E.UPDATED: _STAYS,
    },
    _S.EMULATED: {
        _E.CANCELED: _S.CANCELED,
        _E.EXPIRED: _S.EXPIRED,
        _E.RELEASED: _S.RELEASED,
        _E.UPDATED: _STAYS,
    },
    _S.RELEASED: {
        _E.SUBMITTED: _S.SUBMITTED,
        _E.DENIED: _S.DENIED,
        _E.CANCELED: _S.CANCELED,
        _E.EXPIRED: _S.EXPIRED,
        _E.UPDATED: _STAYS,
    },
    # EXPIRED straight from SUBMITTED is how IOC and FOK end; for any other time in force it is illegal.
    # A trigger that is heard before the acceptance, or after a fill, is remembered by the record.
    _S.SUBMITTED: {**_WORKING, _E.ACCEPTED: _S.ACCEPTED, _E.TRIGGERED: _STAYS},
    _S.ACCEPTED: {**_WORKING, _E.TRIGGERED: _S.TRIGGERED},
    _S.TRIGGERED: {**_WORKING},
    _S.PARTIALLY_FILLED: {
        _E.PENDING_UPDATE: _S.PENDING_UPDATE,
        _E.PENDING_CANCEL: _S.PENDING_CANCEL,
        _E.CANCELED: _S.CANCELED,
        _E.EXPIRED: _S.EXPIRED,
        _E.ACCEPTED: _S.ACCEPTED,
        _E.UPDATED: _STAYS,
        _E.TRIGGERED: _STAYS,
    },
    _S.PENDING_UPDATE: {
        _E.REJECTED: _S.REJECTED,
        _E.ACCEPTED: _S.ACCEPTED,
        _E.CANCELED: _S.CANCELED,
        _E.EXPIRED: _S.EXPIRED,
        _E.TRIGGERED: _S.TRIGGERED,
        _E.PENDING_UPDATE: _S.PENDING_UPDATE,
        _E.PENDING_CANCEL: _S.PENDING_CANCEL,
        _E.MODIFY_REJECTED: _RESTORES,
        _E.UPDATED: _RESTORES,
    },
    _S.PENDING_CANCEL: {
        _E.REJECTED: _S.REJECTED,
        _E.PENDING_CANCEL: _S.PENDING_CANCEL,
        _E.CANCELED: _S.CANCELED,
        _E.EXPIRED: _S.EXPIRED,
        _E.ACCEPTED: _S.ACCEPTED,
        _E.CANCEL_REJECTED: _RESTORES,
        _E.UPDATED: _STAYS,
        _E.TRIGGERED: _STAYS,
    },
    # A venue's acceptance may be heard after the end of the order: it is recorded.
    _S.CANCELED: {_E.ACCEPTED: _STAYS},
    _S.EXPIRED: {_E.ACCEPTED: _STAYS},
    _S.REJECTED: {_E.ACCEPTED: _STAYS},
    _S.DENIED: {},
    _S.FILLED: {_E.ACCEPTED: _STAYS},
}

_GUARDED = frozenset({_E.TRIGGERED, _E.EXPIRED})
"""Kinds that are legal for some orders only."""

_RECORDED = frozenset({_E.MODIFY_REJECTED, _E.CANCEL_REJECTED})
"""A refused change that finds no matching pending state (a fill or close overtook it) is recorded, no change."""


def after(
    state: OrderState, previous: OrderState, kind: EventKind, order_type: OrderType, tif: TimeInForce
) -> OrderState:
    """The state after an event that is not a fill. Raises Conflict (ORDER_EVENT_ILLEGAL) for what the table lacks."""
    row = TABLE[state]
    if kind in row and (kind not in _GUARDED or _guards_hold(state, kind, order_type, tif)):
        target = row[kind]
        if isinstance(target, OrderState):
            return target
        return state if target is _STAYS else previous
    if kind in _RECORDED:
        return state
    raise Conflict("E_ORDER_EVENT_ILLEGAL", f"event {kind.value} is illegal for a {order_type.value} in {state.value}")


def _guards_hold(state: OrderState, kind: EventKind, order_type: OrderType, tif: TimeInForce) -> bool:
    if kind is _E.TRIGGERED:
        return order_type in TRIGGERABLE
    if kind is _E.EXPIRED and state is _S.SUBMITTED:
        return tif in (TimeInForce.IOC, TimeInForce.FOK)
    return True


def after_fill(state: OrderState, cumulative: int, quantity: int) -> tuple[OrderState, FillFlag | None]:
    """The state after a fill that brings the total to `cumulative`, and the flag of one that should not have been."""
    full = cumulative >= quantity
    if state in _COMPLETE:
        return state, FillFlag.OVERFILL if cumulative > quantity else FillFlag.UNEXPECTED
    if state in CLOSED:
        return (_S.FILLED if full else state), _over(cumulative, quantity)
    flag = _over(cumulative, quantity)
    if flag is None and state in _UNSENT:
        flag = FillFlag.UNEXPECTED
    return (_S.FILLED if full else _S.PARTIALLY_FILLED), flag


def after_update(state: OrderState, cumulative: int, quantity: int) -> OrderState:
    """The state after an update that `after` allows: an order changed to what it has filled, or less, is FILLED."""
    return _S.FILLED if 0 < quantity <= cumulative else state


def _over(cumulative: int, quantity: int) -> FillFlag | None:
    return FillFlag.OVERFILL if cumulative > quantity else None


def view_of(state: OrderState, filled: int) -> OrderView:
    """The public view of an internal state."""
    if state in CLOSED:
        return OrderView(state.value)
    return OrderView.PARTIALLY_FILLED if filled else OrderView.NEW
