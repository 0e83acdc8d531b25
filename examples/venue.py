"""A venue of your own: orders in memory, filled at the price that `trade` tells. See docs/venues.md.

An entry point of group `qmtl.venues` names `memory_plug`; then `kind = "memory"` of a venue in qmtl.toml is this one.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.events import EventTime, Fill, Liquidity
from brokerage.domain.orders.reports import Outcome, VenueAnswer, VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade
from brokerage.venues.plugs import NoncesOf, PlugTerms
from brokerage.venues.port import VenueEvent, VenueFill

GONE = VenueAnswer(Outcome.REJECTED, reason="no order works here under this id")
TRAITS = replace(PAPER, name="memory", answers_in_commit=False)


class MemoryVenue:
    """Takes limit orders to buy stocks for dollars, with lots and prices of one hundred-millionth."""

    traits: VenueTraits = TRAITS
    weight_used: int | None = None

    def __init__(self, cash: Decimal) -> None:
        self._cash, self._held, self._heard = cash, dict[str, Decimal](), 0
        self._orders, self._state = dict[str, VenueOrder](), dict[str, EventKind]()
        self._log, self._trades, self._told = list[VenueEvent](), list[ListedTrade](), asyncio.Event()

    # ---- orders

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
        filled = ((event.number, event.report) for event in self._log if event.report.fill is not None)
        sent = zip(self._trades, filled, strict=True)
        return [VenueFill(at, trade.number, report.fill) for trade, (at, report) in sent if at > number and report.fill]

    async def stream(self, after: int = 0) -> AsyncGenerator[VenueEvent, None]:
        while True:
            while after < len(self._log):
                after += 1
                yield self._log[after - 1]
            self._told.clear()
            await self._told.wait()

    # ---- what it lists: the books are compared with it

    async def balances(self) -> dict[str, Decimal]:
        return {"USD": self._cash, **self._held}

    async def positions(self) -> dict[str, Decimal]:
        return dict(self._held)

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        return [trade for trade in self._trades if trade.at_ms >= since_ms]

    async def payments(self, since_ms: int) -> list[ListedPayment]:
        return []

    async def working(self) -> list[ListedOrder]:
        return [self._listed(name) for name in await self.open_orders()]

    async def listed(self, symbol: str, number: str) -> ListedOrder | None:
        return self._listed(number) if number in self._orders else None

    async def instruments(self) -> list[Instrument]:
        return []  # those of the settings and of the table

    async def login_faults(self) -> list[str]:
        return []  # of a real one: a clock that is apart, a key that may not trade or may withdraw

    async def told(self) -> None:
        while self._heard == len(self._log):
            self._told.clear()
            await self._told.wait()
        self._heard = len(self._log)

    async def close(self) -> None:
        """It has no sockets."""

    # ---- the market

    async def trade(self, price: Decimal) -> None:
        """The market trades at a price: what works at it or above fills."""
        for order in [self._orders[name] for name in await self.open_orders()]:
            asked, number = order.order, order.venue_order_id
            if (asked.limit_price or price) >= price:
                self._cash -= asked.quantity * price
                self._held[asked.symbol] = self._held.get(asked.symbol, Decimal(0)) + asked.quantity
                of = f"t{len(self._trades)}", number, asked.symbol, asked.side, price, asked.quantity
                self._trades.append(ListedTrade(*of, Decimal(0), "USD", Liquidity.MAKER, _now_ms()))
                scaled = int(asked.quantity * 10**8), int(price * 10**8)
                self._tell(order, EventKind.FILLED, Fill(of[0], *scaled, 0, "USD", Liquidity.MAKER, 0))

    def _tell(self, order: VenueOrder, kind: EventKind, fill: Fill | None = None) -> None:
        self._state[order.venue_order_id] = kind
        self._log.append(VenueEvent(len(self._log) + 1, VenueReport(order.order_id, kind, EventTime(0, 0), fill)))
        self._told.set()

    def _listed(self, name: str) -> ListedOrder:
        asked, kind = self._orders[name].order, self._state[name]
        filled = asked.quantity if kind is EventKind.FILLED else Decimal(0)
        kind = EventKind.ACCEPTED if kind is EventKind.FILLED else kind
        terms = asked.symbol, asked.side, asked.quantity, asked.limit_price, asked.stop_price
        return ListedOrder(name, name, *terms, filled, kind, asked.reduce_only, 0, 0)


class MemoryPlug:
    """The venue of one entry of the settings: `options = { cash = "10000" }`."""

    traits: VenueTraits = TRAITS

    def __init__(self, terms: PlugTerms) -> None:
        self.venue = MemoryVenue(Decimal(terms.entry.options.get("cash", "0")))

    async def connect(self, signed_at: Callable[[], int], nonces_of: NoncesOf | None = None) -> MemoryVenue:
        return self.venue  # a real one makes a client here, whose requests are signed with the time of signed_at()


def memory_plug(terms: PlugTerms) -> MemoryPlug:
    """What the entry point names."""
    return MemoryPlug(terms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
