"""Orders as values: what the client asked for, what happened to it, and the record that folds the two.

`OrderRecord` is the fold of its events and nothing else: `advance` is used when an event is made and when it is
read back, so replay equals live. Numbers in a record are integers at the instrument's scales.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from blake3 import blake3

from brokerage.domain.instrument import Instrument
from brokerage.domain.money import fit
from brokerage.domain.states import (
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
    view_of,
)
from qmtl.core.errors import Conflict, InvalidRequest, Violation


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class PositionSide(Enum):
    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class Liquidity(Enum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class Denial(Enum):
    """Why we refused an order. Named after the rule; stored, shown and tested. PRICE_STALE: too old, or none at all."""

    FENCED = "FENCED"
    NO_LIVE_VENUE = "NO_LIVE_VENUE"
    DOMAIN_FORBIDS_ORDERS = "DOMAIN_FORBIDS_ORDERS"
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN"
    ORDER_TYPE_UNSUPPORTED = "ORDER_TYPE_UNSUPPORTED"
    TIME_IN_FORCE_UNSUPPORTED = "TIME_IN_FORCE_UNSUPPORTED"
    PRECISION = "PRECISION"
    TICK = "TICK"
    LOT = "LOT"
    QUANTITY_BELOW_MINIMUM = "QUANTITY_BELOW_MINIMUM"
    QUANTITY_ABOVE_MAXIMUM = "QUANTITY_ABOVE_MAXIMUM"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
    NOTIONAL_ABOVE_LIMIT = "NOTIONAL_ABOVE_LIMIT"
    PRICE_INSANE = "PRICE_INSANE"
    EXPIRED_ON_ARRIVAL = "EXPIRED_ON_ARRIVAL"
    REDUCE_ONLY_INCREASES = "REDUCE_ONLY_INCREASES"
    POST_ONLY_CROSSES = "POST_ONLY_CROSSES"
    TRADING_HALTED = "TRADING_HALTED"
    TRADING_REDUCING = "TRADING_REDUCING"
    RATE_ABOVE_LIMIT = "RATE_ABOVE_LIMIT"
    OPEN_ORDERS_ABOVE_LIMIT = "OPEN_ORDERS_ABOVE_LIMIT"
    POSITION_ABOVE_LIMIT = "POSITION_ABOVE_LIMIT"
    LEVERAGE_ABOVE_LIMIT = "LEVERAGE_ABOVE_LIMIT"
    DRAWDOWN_CIRCUIT = "DRAWDOWN_CIRCUIT"
    EXPOSURE_ABOVE_LIMIT = "EXPOSURE_ABOVE_LIMIT"
    BALANCE_INSUFFICIENT = "BALANCE_INSUFFICIENT"
    SHORT_UNAVAILABLE = "SHORT_UNAVAILABLE"
    PRICE_STALE = "PRICE_STALE"
    SCALED_TO_ZERO = "SCALED_TO_ZERO"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose order it is. Positions, client order ids and accounting are kept per scope."""

    account: str
    world_id: str
    strategy_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """The client's unscaled order. Two orders are the same request exactly when they are equal.

    `decided_ns` is the close of the bar it was decided on: no bar that starts before it can fill the order.
    """

    scope: Scope
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    tif: TimeInForce = TimeInForce.GTC
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_at_ns: int | None = None
    reduce_only: bool = False
    post_only: bool = False
    trail_amount: Decimal | None = None
    trail_fraction: Decimal | None = None
    position_side: PositionSide = PositionSide.BOTH
    decided_ns: int | None = None
    venue: str = "paper"
    tags: tuple[str, ...] = ()


def require_well_formed(order: Order) -> None:
    """Refuse an order whose parts do not make one. Raises InvalidRequest (E_ORDER_MALFORMED) with the fields."""
    wants_limit = order.type in _LIMITED
    wants_stop = order.type in _STOPPED
    wrong: list[Violation] = []
    if order.quantity <= 0:
        wrong.append(Violation("quantity", str(order.quantity), "more than 0"))
    for name, price, wanted in (
        ("limit_price", order.limit_price, wants_limit),
        ("stop_price", order.stop_price, wants_stop),
    ):
        if (price is not None) != wanted:
            wrong.append(Violation(name, str(price), f"{'a price' if wanted else 'none'} for {order.type.value}"))
    if (order.expire_at_ns is not None) != (order.tif is TimeInForce.GTD):
        wrong.append(Violation("expire_at", str(order.expire_at_ns), "a time for GTD, else none"))
    if not order.client_order_id:
        wrong.append(Violation("client_order_id", "''", "an id of yours"))
    if wrong:
        raise InvalidRequest("E_ORDER_MALFORMED", "; ".join(map(str, wrong)), violations=wrong)


_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED, OrderType.TRAILING_STOP_LIMIT})
_STOPPED = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED})


def order_id(scope: Scope, client_order_id: str) -> str:
    """The order's own id, the same on every replica and replay: base32 of BLAKE3 over its unique key, 32 letters."""
    parts = (scope.account, scope.world_id, scope.strategy_id, client_order_id)
    key = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return base64.b32encode(blake3(key).digest()[:20]).decode().lower()


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `fee` is in `fee_currency` at its scale; in base currency it reduces what is received."""

    trade_id: str
    quantity: int
    price: int
    fee: int
    fee_currency: str
    liquidity: Liquidity
    venue_ns: int


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened by the venue's time and when we learned of it; in a backtest the two are one."""

    at_ns: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One row of an order's history. `at_ns` is the venue's time, `received_ns` ours; `state` is after the event.

    `quantity`, `limit`, `stop` and `expire_ns` are set on INITIALIZED and UPDATED only, `worst` on INITIALIZED.
    """

    order_id: str
    seq: int
    kind: EventKind
    at_ns: int
    received_ns: int
    state: OrderState = OrderState.INITIALIZED
    cumulative: int = 0
    fill: Fill | None = None
    denial: Denial | None = None
    detail: str = ""
    flag: FillFlag | None = None
    quantity: int = 0
    limit: int | None = None
    stop: int | None = None
    expire_ns: int | None = None
    unresolved: bool = False
    worst: int = 0


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """What is known of an order: the fold of its events.

    `worst` is the worst price it can trade at, by what was known when it was taken; 0: none, or an order of before.
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

    @property
    def closed(self) -> bool:
        return self.state in CLOSED

    @property
    def acknowledged(self) -> bool:
        """Whether the venue has been heard about it. Before, only the venue knows whether it is there."""
        return self.previous not in UNHEARD

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
        raise Conflict("ORDER_EVENT_ILLEGAL", f"order {event.order_id} must begin with INITIALIZED, seq 1")
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
    )


def advance(record: OrderRecord, event: OrderEvent) -> OrderRecord:
    """Fold one event. Raises Conflict when it is illegal here, its seq is not the next, or its state is not ours."""
    if event.seq != record.seq + 1:
        raise Conflict("ORDER_EVENT_GAP", f"order {record.id} is at seq {record.seq}, got {event.seq}")
    state, filled, flag = _step(record, event.kind, event.fill)
    if state is not event.state or filled != event.cumulative:
        raise Conflict("ORDER_EVENT_DAMAGED", f"order {record.id} seq {event.seq}: state or total is not its fold")
    return _folded(record, event, flag)


def _step(record: OrderRecord, kind: EventKind, fill: Fill | None) -> tuple[OrderState, int, FillFlag | None]:
    """State, filled total and flag after an event."""
    if kind is not EventKind.FILLED:
        state = after(record.state, record.previous, kind, record.order.type, record.order.tif)
        return state, record.filled, None
    if fill is None or record.instrument is None:
        raise Conflict("ORDER_EVENT_ILLEGAL", f"order {record.id}: FILLED without a fill or an instrument")
    filled = fit(record.filled + fill.quantity, "cumulative quantity")
    state, flag = after_fill(record.state, filled, record.quantity)
    return state, filled, flag


def _folded(record: OrderRecord, event: OrderEvent, flag: FillFlag | None) -> OrderRecord:
    notional = record.notional
    if event.fill is not None and record.instrument is not None:
        traded = record.instrument.notional(event.fill.price, event.fill.quantity)
        notional = fit(notional + traded, "cumulative notional")
    changed = event.kind is EventKind.UPDATED
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
        record.triggered or event.kind is EventKind.TRIGGERED or _released(record, event),
        _eligible_from(record, event) if event.kind in _BEGINNINGS else record.accepted_ns,
        record.created_ns,
        event.received_ns,
        event.denial or record.denial,
        event.detail or record.detail,
        flag or record.flag,
        event.unresolved,
        record.worst,
    )


_BEGINNINGS = frozenset({EventKind.EMULATED, EventKind.ACCEPTED})


def _released(record: OrderRecord, event: OrderEvent) -> bool:
    """Whether an emulated stop was reached: from here on it is a market order."""
    return event.kind is EventKind.RELEASED and record.state is OrderState.EMULATED


def _eligible_from(record: OrderRecord, event: OrderEvent) -> int:
    """Start of the first bar that counts: its first acceptance (or emulation), and never before its decision."""
    if record.acknowledged and record.accepted_ns:
        return record.accepted_ns
    return max(event.at_ns, record.order.decided_ns or 0)


def happened(
    record: OrderRecord,
    kind: EventKind,
    time: Moment,
    *,
    fill: Fill | None = None,
    denial: Denial | None = None,
    detail: str = "",
    unresolved: bool = False,
) -> tuple[OrderRecord, OrderEvent]:
    """Make the next event of an order and fold it in. UPDATED repeats what is worked, with a new detail."""
    state, filled, flag = _step(record, kind, fill)
    changed = kind is EventKind.UPDATED
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
        record.quantity if changed else 0,
        record.limit if changed else None,
        record.stop if changed else None,
        record.expire_ns if changed else None,
        unresolved,
    )
    return _folded(record, event, flag), event


def accept_fill(fill: Fill, known: Fill | None) -> bool:
    """Whether a reported fill is new. A repeat with the same content is not; with other content it is an error."""
    if known is None:
        return True
    if known == fill:
        return False
    raise Conflict("TRADE_ID_REUSED", f"trade {fill.trade_id} was booked with other content")
