"""What every venue is to the rest of brokerage: the only way an order leaves, and what is asked of it afterwards.

Emulation, contingencies, retries and reconciliation are above the port, once. A venue decides nothing about risk.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.reports import VenueAnswer, VenueReport
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import VenueTraits


@dataclass(frozen=True, slots=True)
class VenueFill:
    """A fill as the venue lists it; `number` counts the fills of the account and is where a reader goes on."""

    number: int
    venue_order_id: str
    fill: Fill


@dataclass(frozen=True, slots=True)
class VenueEvent:
    """Something that happened to an order at the venue; `number` grows, and is where a reader goes on."""

    number: int
    report: VenueReport


class Venue(Protocol):
    """One account at one venue. An order is there under the id it was last sent with, which the venue keeps.

    An answer that does not come is UNKNOWN, never a rejection: who calls asks by `query` before anything is sent again.
    """

    @property
    def traits(self) -> VenueTraits:
        """What this venue takes."""
        ...

    async def submit(self, order: VenueOrder) -> VenueAnswer:
        """Hand an order over."""
        ...

    async def replace(self, order: VenueOrder, by: VenueOrder) -> VenueAnswer:
        """Have an order work under other terms and another venue id. REJECTED: it works on as it was, or has ended."""
        ...

    async def cancel(self, order: VenueOrder) -> VenueAnswer:
        """End an order. REJECTED: there is none that works."""
        ...

    async def query(self, order: VenueOrder) -> VenueReport | None:
        """What the venue has under an order's venue id: ACCEPTED while it works, how it ended, CANCELED with a reason
        where it has never been; None while it may still be on its way.
        """
        ...

    async def open_orders(self, symbol: str = "") -> list[str]:
        """The venue ids of orders that work at the venue, of one symbol or all."""
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

    def stream(self, after: int = 0) -> AsyncGenerator[VenueEvent, None]:
        """What happens at the venue after a number, in order, as it happens; ends only when it is closed.

        Raises OutOfRange (E_RESUME_TOO_OLD) where the venue does not reach back so far: reconcile, go on at its end.
        """
        ...


VenueOf = Callable[[str], Venue]
"""The venue of an account, by the account's name."""
