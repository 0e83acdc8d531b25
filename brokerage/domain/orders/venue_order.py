"""An order as its venue is given it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from brokerage.domain.orders.events import WorkedTerms
from brokerage.domain.orders.order import Order, venue_order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderType
from qmtl.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """What a venue needs of an order. `order_id` is ours and stays, `venue_order_id` is the id the venue keeps: a
    replaced order has a new one. `order` has the terms that are worked, not those the client asked for.
    """

    order_id: str
    venue_order_id: str
    order: Order


def order_at_venue(record: OrderRecord, length_max: int = 32) -> VenueOrder:
    """An order with the terms that work. Raises NotFound (E_INSTRUMENT_UNKNOWN)."""
    return _with_terms(record, record.terms, record.generation, length_max)


def replacement_of(record: OrderRecord, length_max: int = 32) -> VenueOrder | None:
    """The same order as a pending replace wants it; None where none is pending."""
    if record.wanted is None:
        return None
    return _with_terms(record, record.wanted, record.replaces, length_max)


def _with_terms(record: OrderRecord, terms: WorkedTerms, generation: int, length_max: int) -> VenueOrder:
    instrument = record.instrument
    if instrument is None:
        raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} cannot go to a venue without an instrument")
    worked = replace(
        record.order,
        quantity=instrument.quantity_decimal(terms.quantity),
        limit_price=None if terms.limit is None else instrument.price_decimal(terms.limit),
        stop_price=None if terms.stop is None else instrument.price_decimal(terms.stop),
        expire_at_ns=terms.expire_ns,
    )
    if record.let_go:  # the stop was watched here and reached
        worked = replace(worked, type=OrderType.MARKET, stop_price=None)
    return VenueOrder(record.id, venue_order_id(record.id, generation, length_max), worked)
