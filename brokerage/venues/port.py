"""What every venue is to the rest of brokerage: the only way an order leaves, and what is asked of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.reports import VenueAnswer, VenueReport
from brokerage.domain.orders.venue_traits import VenueTraits


@dataclass(frozen=True, slots=True)
class VenueFill:
    """A fill as the venue lists it; `number` counts the fills of the account and is where a reader goes on."""

    number: int
    order_id: str
    fill: Fill


class Venue(Protocol):
    """One account at one venue. Orders are named by the id they were sent with, which the venue keeps."""

    @property
    def traits(self) -> VenueTraits:
        """What this venue takes."""
        ...

    async def submit(self, order_id: str) -> VenueAnswer:
        """Hand an order over. An answer that does not come is UNKNOWN, never a rejection, and nothing is sent again."""
        ...

    async def query(self, order_id: str) -> VenueReport | None:
        """What the venue has of an order whose answer was not heard; None while it may still be on its way."""
        ...

    async def open_orders(self, symbol: str = "") -> list[str]:
        """The orders that work at the venue, of one symbol or all."""
        ...

    async def fills_since(self, number: int) -> list[VenueFill]:
        """The next fills after a number, in order; none at the end."""
        ...

    async def balances(self) -> dict[str, Decimal]:
        """Cash by currency."""
        ...

    async def positions(self) -> dict[str, Decimal]:
        """Signed quantities by symbol, without those that are flat."""
        ...


VenueOf = Callable[[str], Venue]
"""The venue of an account, by the account's name."""
