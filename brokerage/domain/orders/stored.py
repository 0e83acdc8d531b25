"""An order with its whole history, as it is listed and answered."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.record import OrderRecord


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """What its client asked for and the epoch it was gated under, its history and the fold of it."""

    order: Order
    epoch: int
    events: tuple[OrderEvent, ...]
    record: OrderRecord
