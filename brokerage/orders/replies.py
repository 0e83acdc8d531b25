"""What the brokerage answers: orders, events, fills, positions and books as messages, numbers as decimal text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.states import EventKind
from brokerage.instants import timestamp
from brokerage.orders.rows import StoredOrder
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import Conflict


def status_to_proto(stored: StoredOrder) -> brokerpb.OrderStatus:
    """An order with what has become of it."""
    record, instrument = stored.record, stored.record.instrument
    status = brokerpb.OrderStatus(
        order=stored.body,
        state=f"ORDER_STATE_{record.state.name}",
        view=f"ORDER_VIEW_{record.public.name}",
        unresolved=record.unresolved,
        denial=None if record.denial is None else f"DENIAL_{record.denial.name}",
        reason=record.detail,
        working_quantity=quantity_text(instrument, record.quantity),
        cumulative_quantity=quantity_text(instrument, record.filled),
        fees=_fees(instrument, stored.events),
        epoch=stored.epoch,
        created_at=timestamp(record.created_ns),
        updated_at=timestamp(record.updated_ns),
        venue_order_id=record.id if any(event.kind is EventKind.SUBMITTED for event in stored.events) else "",
        last_seq=record.seq,
    )
    if record.filled and instrument is not None:
        status.average_price = format_decimal(instrument.average_price(record.notional, record.filled))
    return status


def event_to_proto(
    order: Order, instrument: Instrument | None, event: OrderEvent, sequence: int
) -> brokerpb.OrderEvent:
    """One step of an order, at its place in the account's log. The fill's own sequence is set by the caller."""
    message = brokerpb.OrderEvent(
        account=order.owner.account,
        world_id=order.owner.world_id,
        strategy_id=order.owner.strategy_id,
        client_order_id=order.client_order_id,
        seq=event.seq,
        kind=f"ORDER_EVENT_KIND_{event.kind.name}",
        state=f"ORDER_STATE_{event.state.name}",
        reason=event.detail,
        denial=None if event.denial is None else f"DENIAL_{event.denial.name}",
        cumulative_quantity=quantity_text(instrument, event.cumulative),
        venue_time=timestamp(event.fill.venue_ns if event.fill else event.at_ns),
        receive_time=timestamp(event.received_ns),
        sequence=sequence,
    )
    if event.fill is not None and instrument is not None:
        message.fill.CopyFrom(fill_to_proto(order, instrument, event, 0))
    return message


def fill_to_proto(order: Order, instrument: Instrument, event: OrderEvent, sequence: int) -> brokerpb.Fill:
    """One booked execution, at its place in the account's fills. The event must be a fill."""
    fill = event.fill
    if fill is None:
        raise Conflict("NOT_A_FILL", f"event {event.seq} of order {event.order_id} is {event.kind.value}")
    in_quote = fill.fee_currency == instrument.quote
    fee = instrument.money_decimal(fill.fee) if in_quote else instrument.quantity_decimal(fill.fee)
    return brokerpb.Fill(
        account=order.owner.account,
        world_id=order.owner.world_id,
        strategy_id=order.owner.strategy_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        venue=order.venue,
        side=f"ORDER_SIDE_{order.side.name}",
        trade_id=fill.trade_id,
        quantity=quantity_text(instrument, fill.quantity),
        price=format_decimal(instrument.price_decimal(fill.price)),
        fee=format_decimal(fee),
        fee_currency=fill.fee_currency,
        liquidity_side=f"LIQUIDITY_SIDE_{fill.liquidity.name}",
        venue_time=timestamp(fill.venue_ns),
        receive_time=timestamp(event.received_ns),
        flag=None if event.flag is None else f"FILL_FLAG_{event.flag.name}",
        sequence=sequence,
    )


def quantity_text(instrument: Instrument | None, quantity: int) -> str:
    return format_decimal(instrument.quantity_decimal(quantity)) if instrument is not None else "0"


def _fees(instrument: Instrument | None, events: Iterable[OrderEvent]) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for event in events:
        fill = event.fill
        if fill is not None and instrument is not None:
            in_quote = fill.fee_currency == instrument.quote
            fee = instrument.money_decimal(fill.fee) if in_quote else instrument.quantity_decimal(fill.fee)
            sums[fill.fee_currency] = sums.get(fill.fee_currency, Decimal(0)) + fee
    return {currency: format_decimal(fee) for currency, fee in sums.items()}
