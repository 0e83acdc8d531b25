"""A venue of your own: limit orders in memory, filled at the price that `trade` tells. See docs/venues.md.

An entry point of group `qmtl.venues` names `MemoryPlug`; then `kind = "memory"` of a venue in qmtl.toml is this one.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.listings import MS_NS, ListedOrder, ListedTrade, taken
from brokerage.venues.plugs import NoncesOf, PlugTerms
from brokerage.venues.polled import PolledVenue
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import VenueRefused

TAKES = frozenset({OrderType.LIMIT}), frozenset({TimeInForce.GTC}), False
TRAITS = VenueTraits("memory", *TAKES, order_id_length_max=64, acceptance_window_ns=10**9, answers_in_commit=False)


class MemoryPlug:
    """Dollars and stocks, traded without a fee: the account of one entry, with `options = { cash = "10000" }`."""

    def __init__(self, terms: PlugTerms) -> None:
        self.traits, self._clock, self._cash = TRAITS, terms.clock, Decimal(terms.entry.options.get("cash", "0"))
        self._held, self._orders, self._trades = dict[str, Decimal](), dict[str, ListedOrder](), list[ListedTrade]()

    async def connect(self, signed_at: Callable[[], int], nonces_of: NoncesOf | None = None) -> PolledVenue:
        return PolledVenue(self, self._clock)  # a real one signs its requests with the time of signed_at()

    async def submit(self, order: VenueOrder) -> None:
        self._orders[order.venue_order_id] = taken(order, order.venue_order_id, self._now_ms())

    async def cancel(self, order: VenueOrder) -> None:
        found = self._orders.get(order.venue_order_id)
        if found is None or not found.works:
            raise VenueRefused("no order works here under this id")
        self._orders[found.client_id] = replace(found, kind=EventKind.CANCELED, at_ms=self._now_ms())

    async def orders(self) -> list[ListedOrder]:
        return list(self._orders.values())

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        return self._trades

    async def balances(self) -> dict[str, Decimal]:
        return {"USD": self._cash, **self._held}

    async def positions(self) -> dict[str, Decimal]:
        return {symbol: quantity for symbol, quantity in self._held.items() if quantity}

    def trade(self, price: Decimal) -> None:
        """The market trades at a price: what works there or at a worse one fills."""
        for order in [one for one in self._orders.values() if one.works]:
            sign, now_ms = order.side.sign, self._now_ms()
            if sign * ((order.limit or price) - price) >= 0:
                self._cash -= sign * order.quantity * price
                self._held[order.symbol] = self._held.get(order.symbol, Decimal(0)) + sign * order.quantity
                terms = order.number, order.symbol, order.side, price, order.quantity, Decimal(0), "USD"
                self._trades.append(ListedTrade(f"t{len(self._trades)}", *terms, Liquidity.MAKER, now_ms))
                self._orders[order.client_id] = replace(order, filled=order.quantity, at_ms=now_ms)

    def _now_ms(self) -> int:
        return to_ns(self._clock.now()) // MS_NS
