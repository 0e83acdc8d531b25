"""The venue of the examples is one: it passes the suite that every venue is held to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.config import VenueEntry
from brokerage.domain.orders.order import Order, Owner, Side, order_id, venue_order_id
from brokerage.domain.orders.states import OrderType
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import SECOND_NS
from brokerage.venues.contract_suite import VenueContract
from brokerage.venues.plugs import PlugTerms
from brokerage.venues.polled import PolledVenue
from brokerage.venues.port import Venue
from examples.venue import MemoryPlug
from qmtl.core.clock import VirtualClock
from tests.support.clocks import START

OWNER = Owner("acc", "w1", "s1")


@dataclass(slots=True)
class MemoryRig:
    """A venue with 10,000 dollars, its market, and its clock, which stands still."""

    memory: MemoryPlug
    clock: VirtualClock
    venue: Venue

    async def sent(self, name: str) -> VenueOrder:
        asked = Order(OWNER, name, "AAPL", Side.BUY, Decimal(10), OrderType.LIMIT, limit_price=Decimal(99))
        of = order_id(OWNER, name)
        return VenueOrder(of, venue_order_id(of, 0), asked)

    async def unheard(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def heard(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def wanted(self, order: VenueOrder) -> VenueOrder:
        half = replace(order.order, quantity=order.order.quantity / 2)
        return VenueOrder(order.order_id, venue_order_id(order.order_id, 1), half)

    async def unwanted(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def wait(self) -> None:
        self.clock.advance(self.venue.traits.acceptance_window_ns / SECOND_NS + 1)

    async def fill(self) -> None:
        self.clock.advance(1)
        self.memory.trade(Decimal(98))


@pytest.fixture
async def rig() -> MemoryRig:
    clock = VirtualClock(START)
    entry = VenueEntry(kind="memory", options={"cash": "10000"})
    memory = MemoryPlug(PlugTerms("memory", entry, clock, {}, Path()))
    return MemoryRig(memory, clock, PolledVenue(memory, clock))


class TestExampleVenue(VenueContract):
    """What every venue does."""
