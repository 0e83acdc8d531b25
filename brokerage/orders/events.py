"""What the brokerage publishes and what it hears: order events to ORDERS and fills to FILLS, by its outbox only.

One subject and one order of publication per (world, account); message ids are stable, so a repeated publish is
dropped by the broker. Its own streams hear of commits through a Pulse and then read the store.
"""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.orders.wire import event_to_proto, fill_to_proto
from brokerage.schema import outbox
from controlbus.jetstream.subjects import fills_subject, orders_subject


def publish(
    conn: Connection,
    order: Order,
    instrument: Instrument | None,
    event: OrderEvent,
    sequence: int,
    fill_sequence: int,
) -> None:
    """Queue one event, and its fill, in the transaction that stores them."""
    owner = order.owner
    name = f"{event.order_id}-{event.seq}"
    message = event_to_proto(order, instrument, event, sequence)
    if event.fill is not None and instrument is not None:
        message.fill.account_fill_number = fill_sequence
        fill = fill_to_proto(order, instrument, event, fill_sequence)
        subject = fills_subject(owner.world_id, owner.account)
        body = fill.SerializeToString(deterministic=True)
        outbox.append_raw(conn, subject, f"fills/{owner.account}", f"fill-{name}", body)
    subject = orders_subject(owner.world_id, owner.account)
    outbox.append_raw(
        conn, subject, f"orders/{owner.account}", f"order-{name}", message.SerializeToString(deterministic=True)
    )
