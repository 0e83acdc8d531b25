"""What the brokerage publishes and what it hears: order events to ORDERS and fills to FILLS, by its outbox only.

One subject and one order of publication per (world, account); message ids are stable, so a repeated publish is
dropped by the broker. Its own streams hear of commits through a Pulse and then read the store.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection

from brokerage.domain.instrument import Instrument
from brokerage.domain.orders import Order, OrderEvent
from brokerage.replies import event_to_proto, fill_to_proto
from brokerage.tables import outbox
from controlbus.database import Database
from controlbus.subjects import fills_subject, orders_subject


def publish(
    conn: Connection,
    order: Order,
    instrument: Instrument | None,
    event: OrderEvent,
    sequence: int,
    fill_sequence: int,
) -> None:
    """Queue one event, and its fill, in the transaction that stores them."""
    scope = order.scope
    name = f"{event.order_id}-{event.seq}"
    message = event_to_proto(order, instrument, event, sequence)
    if event.fill is not None and instrument is not None:
        message.fill.sequence = fill_sequence
        fill = fill_to_proto(order, instrument, event, fill_sequence)
        subject = fills_subject(scope.world_id, scope.account)
        body = fill.SerializeToString(deterministic=True)
        outbox.append_raw(conn, subject, f"fills/{scope.account}", f"fill-{name}", body)
    subject = orders_subject(scope.world_id, scope.account)
    outbox.append_raw(
        conn, subject, f"orders/{scope.account}", f"order-{name}", message.SerializeToString(deterministic=True)
    )


class Pulse:
    """Commits of this process that signalled a name. A waiter takes `next()` before it reads, then waits on it."""

    def __init__(self, db: Database, name: str) -> None:
        self._coming = asyncio.Event()
        self.forget = db.on_signal(name, self._beat)

    def next(self) -> asyncio.Event:
        """Set at the next commit after this call."""
        return self._coming

    def _beat(self) -> None:
        beat, self._coming = self._coming, asyncio.Event()
        beat.set()


async def either(first: asyncio.Event, second: asyncio.Event, timeout_s: float) -> None:
    """Return when one of two events is set, or after the timeout."""
    waits = [asyncio.ensure_future(event.wait()) for event in (first, second)]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
