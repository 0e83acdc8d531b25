"""What the brokerage publishes and what it hears: order events to ORDERS and fills to FILLS, by its outbox only.

One subject and one order of publication per (world, account); message ids are stable, so a repeated publish is
dropped by the broker. Its own streams hear of commits through a Pulse and then read the store.
"""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.orders.wire import event_to_proto, fill_to_proto
from controlbus.jetstream.subjects import fills_subject, orders_subject
from controlbus.outbox.outbox import RawDraft


def messages(
    order: Order, instrument: Instrument | None, event: OrderEvent, sequence: int, fill_sequence: int
) -> list[RawDraft]:
    """What is published of one event: its fill, if it has one, and the event."""
    drafts = []
    owner = order.owner
    name = f"{event.order_id}-{event.seq}"
    message = event_to_proto(order, instrument, event, sequence)
    if event.fill is not None and instrument is not None:
        message.fill.account_fill_number = fill_sequence
        fill = fill_to_proto(order, instrument, event, fill_sequence)
        subject = fills_subject(owner.world_id, owner.account)
        body = fill.SerializeToString(deterministic=True)
        drafts.append(RawDraft(subject, f"fills/{owner.account}", f"fill-{name}", body))
    subject = orders_subject(owner.world_id, owner.account)
    body = message.SerializeToString(deterministic=True)
    drafts.append(RawDraft(subject, f"orders/{owner.account}", f"order-{name}", body))
    return drafts
