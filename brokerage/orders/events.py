"""What the brokerage publishes and what it hears: order events to ORDERS and fills to FILLS, by its outbox only.

One subject and one order of publication per (world, account); message ids are stable, so a repeated publish is
dropped by the broker. Its own streams hear of commits through a Pulse and then read the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final, TypeAlias

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.orders.wire import event_to_proto, fill_to_proto
from controlbus.jetstream.subjects import fills_subject, orders_subject
from controlbus.outbox.outbox import RawDraft
from qmtl.broker.v1 import order_pb2 as orderpb

BYTES_MAX: Final = 64 * 1024
"""Of the events in one message, unless one alone is larger: what is shown to subscribers in one frame has 1 MiB."""
Happened: TypeAlias = tuple[Order, Instrument | None, OrderEvent, int, int]
"""An event with its order, its place in the account's log and that of the account's last fill up to it."""


def messages(done: Iterable[Happened]) -> list[RawDraft]:
    """What is published of events that are committed together: each fill, and all events, those of one world in one
    message as long as they follow one another.
    """
    fills, parts = list[RawDraft](), list[RawDraft]()
    for owner, of_owner in groupby(done, key=lambda one: (one[0].owner.world_id, one[0].owner.account)):
        part, names = orderpb.OrderEvents(), list[str]()
        for order, instrument, event, sequence, fill_sequence in of_owner:
            name = f"{event.order_id}-{event.seq}"
            message = event_to_proto(order, instrument, event, sequence)
            if event.fill is not None and instrument is not None and not order.shares:
                message.fill.account_fill_number = fill_sequence
                fill = fill_to_proto(order, instrument, event, fill_sequence)
                body = fill.SerializeToString(deterministic=True)
                fills.append(RawDraft(fills_subject(*owner), f"fills/{owner[1]}", f"fill-{name}", body))
            if names and part.ByteSize() + message.ByteSize() > BYTES_MAX:
                parts.append(_part(owner, names[0], part))
                part, names = orderpb.OrderEvents(), []
            part.events.append(message)
            names.append(name)
        parts.append(_part(owner, names[0], part))
    return fills + parts


def _part(owner: tuple[str, str], first: str, events: orderpb.OrderEvents) -> RawDraft:
    """One message; its id is that of its first event, which no other has."""
    body = events.SerializeToString(deterministic=True)
    return RawDraft(orders_subject(*owner), f"orders/{owner[1]}", f"order-{first}", body)
