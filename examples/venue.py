"""A venue of your own behind the port: orders in memory, filled at the price that `trade` tells. See docs/venues.md."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.events import EventTime, Fill, Liquidity
from brokerage.domain.orders.reports import Outcome, VenueAnswer, VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.venues.port import VenueEvent, VenueFill

GONE = VenueAnswer(Outcome.REJECTED, reason="no order works here under this id")


class MemoryVenue:
    """Takes limit orders to buy one symbol, with lots and prices of one hundred-millionth."""

    traits: VenueTraits = replace(PAPER, name="memory", answers_in_commit=False)

    def __init__(self, cash: Decimal) -> None:
        self._cash, self._held = cash, dict[str, Decimal]()
        self._orders, self._state = dict[str, VenueOrder](), dict[str, EventKind]()
        self._log, self._fills, self._told = list[VenueEvent](), list[VenueFill](), asyncio.Event()

    async def submit(self, order: VenueOrder) -> VenueAnswer:
        if order.venue_order_id not in self._orders:
            self._orders[order.venue_order_id] = order
            self._tell(order, EventKind.ACCEPTED)
        return VenueAnswer(Outcome.ACCEPTED, order.venue_order_id)

    async def replace(self, order: VenueOrder, by: VenueOrder) -> VenueAnswer:
        return await self.submit(by) if (await self.cancel(order)).outcome is Outcome.ACCEPTED else GONE

    async def cancel(self, order: VenueOrder) -> VenueAnswer:
        if order.venue_order_id not in await self.open_orders():
            return GONE
        self._tell(order, EventKind.CANCELED)
        return VenueAnswer(Outcome.ACCEPTED, order.venue_order_id)

    async def query(self, order: VenueOrder) -> VenueReport | None:
        found = self._state.get(order.venue_order_id)
        kind = EventKind.ACCEPTED if found is EventKind.FILLED else found or EventKind.CANCELED
        return VenueReport(order.order_id, kind, EventTime(0, 0), reason="" if found else "it never came")

    async def open_orders(self, symbol: str = "") -> list[str]:
        works = [name for name, kind in self._state.items() if kind is EventKind.ACCEPTED]
        return [name for name in works if symbol in ("", self._orders[name].order.symbol)]

    async def fills_since(self, number: int) -> list[VenueFill]:
        return [fill for fill in self._fills if fill.number > number]

    async def balances(self) -> dict[str, Decimal]:
        return {"USD": self._cash}

    async def positions(self) -> dict[str, Decimal]:
        return dict(self._held)

    async def stream(self, after: int = 0) -> AsyncGenerator[VenueEvent, None]:
        while True:
            while after < len(self._log):
                after += 1
                yield self._log[after - 1]
            self._told.clear()
            await self._told.wait()

    async def trade(self, price: Decimal) -> None:
        """The market trades at a price: what works at it or above fills."""
        for order in [self._orders[name] for name in await self.open_orders()]:
            quantity, symbol = order.order.quantity, order.order.symbol
            if (order.order.limit_price or price) >= price:
                scaled = int(quantity * 10**8), int(price * 10**8)
                fill = Fill(f"t{len(self._fills)}", *scaled, 0, "USD", Liquidity.MAKER, 0)
                self._cash -= quantity * price
                self._held[symbol] = self._held.get(symbol, Decimal(0)) + quantity
                self._tell(order, EventKind.FILLED, fill)
                self._fills.append(VenueFill(len(self._log), order.venue_order_id, fill))

    def _tell(self, order: VenueOrder, kind: EventKind, fill: Fill | None = None) -> None:
        self._state[order.venue_order_id] = kind
        self._log.append(VenueEvent(len(self._log) + 1, VenueReport(order.order_id, kind, EventTime(0, 0), fill)))
        self._told.set()
