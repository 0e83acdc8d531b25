"""Order rows to values and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import Fill, Liquidity, OrderEvent
from brokerage.domain.orders.order import Order, effective
from brokerage.domain.orders.record import OrderRecord, advance, born
from brokerage.domain.orders.states import EventKind, FillFlag, OrderState
from brokerage.orders.wire import order_from_proto
from brokerage.schema import AnyRow
from qmtl.broker.v1 import broker_pb2 as brokerpb

BODIES_MAX = 4_096
"""Ends the stored state of a fence with limits, so that a build that does not know them cannot read it as open."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as stored: the client's message, what it was gated under, its history and the fold of it."""

    body: brokerpb.Order
    epoch: int
    events: tuple[OrderEvent, ...]
    record: OrderRecord


def order_of(row: AnyRow, events: Iterable[OrderEvent], instruments: Instruments) -> StoredOrder:
    """Fold an order's events over the order it was born from."""
    body = brokerpb.Order.FromString(row.body)
    order = _order(row.body, row.gate_reduce_only)
    history = tuple(events)
    record = born(order, instruments.find(order.symbol), history[0])
    for event in history[1:]:
        record = advance(record, event)
    return StoredOrder(body, row.epoch, history, record)


@lru_cache(maxsize=BODIES_MAX)
def _order(body: bytes, gate_reduce_only: bool) -> Order:
    """A stored body as the order that is worked. Bodies never change, so neither does this."""
    return effective(order_from_proto(brokerpb.Order.FromString(body)), gate_reduce_only)


def record_of(row: AnyRow, instruments: Instruments) -> OrderRecord:
    """The fold of an order's events as its head keeps it."""
    order = _order(row.body, row.gate_reduce_only)
    return OrderRecord(
        id=row.order_id,
        order=order,
        instrument=instruments.find(order.symbol),
        state=OrderState(row.state),
        previous=OrderState(row.previous),
        seq=row.seq,
        quantity=row.quantity,
        limit=row.limit_price,
        stop=row.stop_price,
        expire_ns=row.expire_ns,
        filled=row.filled,
        notional=row.notional,
        triggered=row.triggered,
        accepted_ns=row.accepted_ns,
        created_ns=row.created_ns,
        updated_ns=row.updated_ns,
        denial=Denial(row.denial) if row.denial else None,
        detail=row.detail,
        flag=FillFlag(row.flag) if row.flag else None,
        unresolved=row.unresolved,
        worst=row.worst_price,
    )


def head_values(record: OrderRecord) -> dict[str, str | int | bool | None]:
    """The columns of an order's head. The inverse of record_of."""
    return {
        "open": not record.closed,
        "state": record.state.value,
        "previous": record.previous.value,
        "seq": record.seq,
        "gate_reduce_only": record.order.reduce_only,
        "quantity": record.quantity,
        "limit_price": record.limit,
        "stop_price": record.stop,
        "expire_ns": record.expire_ns,
        "filled": record.filled,
        "notional": record.notional,
        "triggered": record.triggered,
        "accepted_ns": record.accepted_ns,
        "created_ns": record.created_ns,
        "updated_ns": record.updated_ns,
        "denial": record.denial.value if record.denial else "",
        "detail": record.detail,
        "flag": record.flag.value if record.flag else "",
        "unresolved": record.unresolved,
        "worst_price": record.worst,
    }


def event_of(row: AnyRow) -> OrderEvent:
    return OrderEvent(
        order_id=row.order_id,
        seq=row.seq,
        kind=EventKind(row.kind),
        at_ns=row.at_ns,
        received_ns=row.received_ns,
        state=OrderState(row.state),
        cumulative=row.cumulative,
        fill=_fill_of(row) if row.kind == EventKind.FILLED.value else None,
        denial=Denial(row.denial) if row.denial else None,
        detail=row.detail,
        flag=FillFlag(row.flag) if row.flag else None,
        quantity=row.quantity,
        limit=row.limit_price,
        stop=row.stop_price,
        expire_ns=row.expire_ns,
        unresolved=row.unresolved,
        worst=row.worst_price,
    )


def _fill_of(row: AnyRow) -> Fill:
    return Fill(
        row.trade_id,
        row.fill_quantity,
        row.fill_price,
        row.fee,
        row.fee_currency,
        Liquidity(row.liquidity),
        row.venue_ns,
    )


def event_values(account: str, sequence: int, event: OrderEvent) -> dict[str, str | int | bool | None]:
    """The columns of an event's row. The inverse of event_of."""
    fill = event.fill
    return {
        "order_id": event.order_id,
        "seq": event.seq,
        "account": account,
        "sequence": sequence,
        "kind": event.kind.value,
        "state": event.state.value,
        "at_ns": event.at_ns,
        "received_ns": event.received_ns,
        "denial": event.denial.value if event.denial else "",
        "detail": event.detail,
        "flag": event.flag.value if event.flag else "",
        "quantity": event.quantity,
        "limit_price": event.limit,
        "stop_price": event.stop,
        "expire_ns": event.expire_ns,
        "unresolved": event.unresolved,
        "trade_id": fill.trade_id if fill else "",
        "fill_quantity": fill.quantity if fill else 0,
        "fill_price": fill.price if fill else 0,
        "fee": fill.fee if fill else 0,
        "fee_currency": fill.fee_currency if fill else "",
        "liquidity": fill.liquidity.value if fill else "",
        "venue_ns": fill.venue_ns if fill else event.at_ns,
        "cumulative": event.cumulative,
        "worst_price": event.worst,
    }
