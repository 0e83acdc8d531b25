"""Order rows to values and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal

from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import Fill, Liquidity, OrderEvent, WorkedTerms
from brokerage.domain.orders.order import (
    Contingency,
    Order,
    OrderShare,
    Owner,
    PositionSide,
    Side,
    TrailOffsetType,
    effective,
    subject_of,
)
from brokerage.domain.orders.record import OrderRecord, advance, born
from brokerage.domain.orders.states import EventKind, FillFlag, OrderState, OrderType, TimeInForce
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.trading.replacement import Change
from brokerage.schema import AnyRow
from qmtl.core.errors import NotFound


def order_of(row: AnyRow, events: Iterable[OrderEvent], instruments: Instruments) -> StoredOrder:
    """Fold an order's events over the order it was born from.

    Raises NotFound (E_INSTRUMENT_UNKNOWN): it has filled, and the scales of its instrument are not known.
    """
    asked, history = asked_of(row), tuple(events)
    instrument = instruments.at(asked.venue).find(asked.symbol)
    if instrument is None and any(event.fill is not None for event in history):
        where = asked.venue or PAPER.name
        message = f"order {row.order_id} has filled in {asked.symbol}, which the settings no longer name at {where}"
        hint = f'add [brokerage.instruments."{asked.symbol}"] to qmtl.toml'
        raise NotFound("E_INSTRUMENT_UNKNOWN", message, hint=hint)
    record = born(effective(asked, row.gate_reduce_only), instrument, history[0])
    for event in history[1:]:
        record = advance(record, event)
    return StoredOrder(asked, row.epoch, history, record)


def asked_of(row: AnyRow) -> Order:
    """What the client asked for."""
    return Order(
        owner=Owner(row.account, row.world_id, row.strategy_id),
        client_order_id=row.client_order_id,
        symbol=row.symbol,
        side=Side(row.side),
        quantity=Decimal(row.asked_quantity),
        type=OrderType(row.type),
        tif=TimeInForce(row.tif),
        limit_price=_decimal(row.asked_limit),
        stop_price=_decimal(row.asked_stop),
        expire_at_ns=row.asked_expire_ns,
        reduce_only=row.reduce_only,
        post_only=row.post_only,
        trail_offset=_decimal(row.trail_offset),
        trail_offset_type=TrailOffsetType(row.trail_offset_type) if row.trail_offset_type else None,
        limit_offset=_decimal(row.limit_offset),
        position_side=PositionSide(row.position_side),
        decided_ns=row.decided_ns,
        venue=row.venue,
        tags=tuple(json.loads(row.tags)) if row.tags else (),
        strategy_version=row.strategy_version,
        position_target=_decimal(row.position_target),
        list_id=row.list_id,
        parent=row.parent,
        contingency=Contingency(row.contingency) if row.contingency else None,
        linked=tuple(json.loads(row.linked)) if row.linked else (),
        shares=shares_of(row.shares) if row.shares else (),
    )


def shares_of(written: str) -> tuple[OrderShare, ...]:
    """The shares of a netted order as they are stored."""
    return tuple(
        OrderShare(world, strategy, Decimal(quantity), epoch, reduces)
        for world, strategy, quantity, epoch, reduces in json.loads(written)
    )


def _shares_text(shares: Iterable[OrderShare]) -> str:
    rows = [[each.world_id, each.strategy_id, str(each.quantity), each.epoch, each.reduce_only] for each in shares]
    return json.dumps(rows) if rows else ""


def asked_values(order: Order) -> dict[str, str | int | bool | None]:
    """The columns of what the client asked for. The inverse of asked_of."""
    return {
        **subject_of(order),
        "side": order.side.value,
        "type": order.type.value,
        "tif": order.tif.value,
        "asked_quantity": str(order.quantity),
        "asked_limit": _text(order.limit_price),
        "asked_stop": _text(order.stop_price),
        "asked_expire_ns": order.expire_at_ns,
        "trail_offset": _text(order.trail_offset),
        "trail_offset_type": order.trail_offset_type.value if order.trail_offset_type else "",
        "limit_offset": _text(order.limit_offset),
        "reduce_only": order.reduce_only,
        "post_only": order.post_only,
        "position_side": order.position_side.value,
        "decided_ns": order.decided_ns,
        "strategy_version": order.strategy_version,
        "position_target": _text(order.position_target),
        "list_id": order.list_id,
        "parent": order.parent,
        "contingency": order.contingency.value if order.contingency else "",
        "linked": json.dumps(order.linked) if order.linked else "",
        "tags": json.dumps(order.tags) if order.tags else "",
        "shares": _shares_text(order.shares),
    }


def new_values(record: OrderRecord, epoch: int = 0) -> dict[str, str | int | bool | None]:
    """The columns of an order that is stored as it stands, but for its place."""
    return {**asked_values(record.order), **head_values(record), "order_id": record.id, "epoch": epoch}


def change_text(change: Change) -> str:
    """A change of an order as it was asked for: equal texts are equal requests."""
    parts = {
        "quantity": _text(change.quantity),
        "limit_price": _text(change.limit_price),
        "stop_price": _text(change.stop_price),
        "expire_at_ns": "" if change.expire_at_ns is None else str(change.expire_at_ns),
    }
    return json.dumps({name: value for name, value in parts.items() if value}, sort_keys=True)


def record_of(row: AnyRow, instruments: Instruments) -> OrderRecord:
    """The fold of an order's events as its head keeps it."""
    order = effective(asked_of(row), row.gate_reduce_only)
    return OrderRecord(
        id=row.order_id,
        order=order,
        instrument=instruments.at(order.venue).find(order.symbol),
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
        wanted=_wanted_of(row),
        replaces=row.replaces,
        generation=row.generation,
        begun=row.begun,
        booked=tuple(json.loads(row.booked)) if row.booked else (),
    )


def _wanted_of(row: AnyRow) -> WorkedTerms | None:
    if row.wanted_quantity is None:
        return None
    return WorkedTerms(row.wanted_quantity, row.wanted_limit, row.wanted_stop, row.wanted_expire_ns, row.wanted_worst)


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
        **_wanted_values(record.wanted),
        "replaces": record.replaces,
        "generation": record.generation,
        "begun": record.begun,
        "booked": json.dumps(record.booked) if record.booked else "",
    }


def _wanted_values(wanted: WorkedTerms | None) -> dict[str, int | None]:
    return {
        "wanted_quantity": wanted.quantity if wanted else None,
        "wanted_limit": wanted.limit if wanted else None,
        "wanted_stop": wanted.stop if wanted else None,
        "wanted_expire_ns": wanted.expire_ns if wanted else None,
        "wanted_worst": wanted.worst if wanted else None,
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


def _decimal(written: str) -> Decimal | None:
    return Decimal(written) if written else None


def _text(value: Decimal | None) -> str:
    return "" if value is None else str(value)
