"""A whole venue made of an account that takes orders, ends them, and lists what it has.

All else of the port follows from the lists. A venue that can do some of it better (a stream that is pushed, a replace
in one act, markets, payments, pacing) overrides that in a subclass.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol, TypeVar

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.orders.events import Fill
from brokerage.domain.orders.reports import Outcome, VenueAnswer, VenueReport
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.history import (
    NUMBERS_PER_MS,
    Absences,
    ReadTrade,
    events_after,
    filled_of,
    fills_after,
    in_order,
)
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade, filled
from brokerage.venues.port import VenueEvent, VenueFill
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, NotFound, Unavailable
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import VenueRefused

LOOK_S = 1.0
LOST = (Unavailable, DeadlineExceeded, OSError)
"""No answer came; TimeoutError is an OSError."""
UNREAD = (Unavailable, DeadlineExceeded, Exhausted, VenueRefused)

T = TypeVar("T")


class ListingAccount(Protocol):
    """One account at one venue, as its author writes it. Anything may raise Unavailable, DeadlineExceeded or an
    OSError (no answer came: the outcome is not known), Exhausted (the venue limits requests: nothing was done) and
    VenueRefused (the venue says no, in its words: nothing was done).
    """

    @property
    def traits(self) -> VenueTraits:
        """What this venue takes. `replaces_in_one_act` is False: a replace is a cancel and a new order."""
        ...

    async def submit(self, order: VenueOrder) -> None:
        """Hand over an order under its venue id: it was taken. Called once for an id in the life of a process."""
        ...

    async def cancel(self, order: VenueOrder) -> None:
        """End an order: it works no more. Raises VenueRefused where none works under its venue id."""
        ...

    async def orders(self) -> list[ListedOrder]:
        """The orders that work, and those that have ended, as far back as one may be asked about: of an order that is
        not listed it is said that it never came.
        """
        ...

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        """The trades from a time on, in any order."""
        ...

    async def balances(self) -> dict[str, Decimal]:
        """Cash by currency, and on spot the coins and shares that are held."""
        ...

    async def positions(self) -> dict[str, Decimal]:
        """Signed quantities by symbol, without those that are flat."""
        ...


class PolledVenue:
    """The venue of an account, of which nothing is known but its lists: they are read again every `look_s` seconds.

    `find` gives the instrument of a symbol, in whose scales fills are told; those of the table, unless another is
    given. Raises NotFound (E_INSTRUMENT_UNKNOWN) for a fill of any other.
    """

    def __init__(
        self,
        account: ListingAccount,
        clock: Clock,
        find: Callable[[str], Instrument | None] | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._account = account
        self._clock = clock
        self._find = find or Instruments().find
        self._look_s = look_s
        self._answers: dict[str, VenueAnswer] = {}  # what this process has sent, and what it heard
        self._ours: dict[str, str] = {}  # our ids of orders by the ids they were sent with
        self._absences = Absences()
        self._seen: list[ListedOrder] = []

    @property
    def traits(self) -> VenueTraits:
        return self._account.traits

    @property
    def weight_used(self) -> int | None:
        return None

    # ---- orders

    async def submit(self, order: VenueOrder) -> VenueAnswer:
        """Send an order once under its id; without an answer only a query decides."""
        known = self._answers.get(order.venue_order_id)
        if known is not None:
            return known
        self._answers[order.venue_order_id] = _unknown(order)
        self._ours[order.venue_order_id] = order.order_id
        answer = await _answered(order, self._account.submit, limited=Outcome.REJECTED)
        if answer.outcome is Outcome.REJECTED:
            answer = await self._refused(order, answer)
        self._answers[order.venue_order_id] = answer
        return answer

    async def cancel(self, order: VenueOrder) -> VenueAnswer:
        """End an order, and learn how much of it had filled by then; while its end is not listed that is not told."""
        answer = await _answered(order, self._account.cancel, limited=Outcome.UNKNOWN)
        if answer.outcome is not Outcome.ACCEPTED:
            return answer
        try:
            listed = await self._listed(order)
        except UNREAD:
            return answer
        return answer if listed is None or listed.works else replace(answer, filled=filled_of(order, listed))

    async def replace(self, order: VenueOrder, by: VenueOrder) -> VenueAnswer:
        """Cancel, learn what had filled, and send the rest under the new id: never more than is wanted in all."""
        known = self._answers.get(by.venue_order_id)
        if known is not None:
            return known
        ended = await self.cancel(order)
        if ended.outcome is not Outcome.ACCEPTED:
            return ended
        if ended.filled is None:
            return _unknown(by, "it was cancelled, and how much had filled is not listed: nothing else was sent")
        left = by.order.quantity - ended.filled
        if left <= 0:
            return VenueAnswer(Outcome.REJECTED, reason=f"{ended.filled} had filled by then")
        return await self.submit(replace(by, order=replace(by.order, quantity=left)))

    async def query(self, order: VenueOrder) -> VenueReport | None:
        listed, now_ns = await self._listed(order), to_ns(self._clock.now())
        return self._absences.report(order, listed, now_ns, self.traits.acceptance_window_ns)

    # ---- lists

    async def working(self) -> list[ListedOrder]:
        return [one for one in await self._orders() if one.works]

    async def open_orders(self, symbol: str = "") -> list[str]:
        return [one.client_id for one in await self.working() if symbol in ("", one.symbol)]

    async def listed(self, symbol: str, number: str) -> ListedOrder | None:
        orders = await self._orders()
        return next((one for one in orders if (one.symbol, one.number) == (symbol, number)), None)

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        found = await _read(self._account.trades(since_ms))
        return in_order(one for one in found if one.at_ms >= since_ms)

    async def fills_since(self, number: int) -> list[VenueFill]:
        """The fills after a number, by their milliseconds; those of one are told apart by their place in it. Who reads
        on asks from some time before what it has read, where the venue may list a trade late.
        """
        orders, trades = await self._at_once(number // NUMBERS_PER_MS)
        return fills_after(number, self._scaled(trades, orders))

    async def balances(self) -> dict[str, Decimal]:
        return await _read(self._account.balances())

    async def positions(self) -> dict[str, Decimal]:
        return await _read(self._account.positions())

    async def payments(self, since_ms: int) -> list[ListedPayment]:
        return []

    async def instruments(self) -> list[Instrument]:
        """None: those of the settings and of the table are traded."""
        return []

    # ---- what happens

    async def told(self) -> None:
        """Wait until the orders are listed otherwise than they were: a fill or an end of one shows there."""
        while (now := await self._orders()) == self._seen:
            await self._clock.sleep(self._look_s)
        self._seen = now

    async def stream(self, after: int = 0) -> AsyncGenerator[VenueEvent, None]:
        """What the lists tell after a number. An order that is replaced ends there, and one with a new id begins."""
        while True:
            orders, trades = await self._at_once(after // NUMBERS_PER_MS)
            events = events_after(after, orders, self._scaled(trades, orders), self._ours)
            for event in events:
                after = event.number
                yield event
            if not events:
                await self._clock.sleep(self._look_s)

    # ---- the login

    async def login_faults(self) -> list[str]:
        """None is known: a clock that is apart, or a key that may not trade, is not looked for."""
        return []

    async def close(self) -> None:
        """It has no sockets of its own."""

    async def _refused(self, order: VenueOrder, answer: VenueAnswer) -> VenueAnswer:
        """A refusal, unless the venue lists the order: its id was refused because it is there already."""
        try:
            listed = await self._listed(order)
        except UNREAD:
            return _unknown(order, answer.reason)
        return answer if listed is None else VenueAnswer(Outcome.ACCEPTED, order.venue_order_id)

    async def _orders(self) -> list[ListedOrder]:
        return list(await _read(self._account.orders()))

    async def _at_once(self, since_ms: int) -> tuple[list[ListedOrder], list[ListedTrade]]:
        """Orders, and trades from a time on, of one moment: read until no order has changed meanwhile. Else an end
        might be told before a fill, which who reads on would never hear of.
        """
        orders = await self._orders()
        while True:
            trades, before = await self.trades(since_ms), orders
            orders = await self._orders()
            if orders == before:
                return orders, trades

    async def _listed(self, order: VenueOrder) -> ListedOrder | None:
        orders = await self._orders()
        return next((one for one in orders if one.client_id == order.venue_order_id), None)

    def _scaled(self, trades: Sequence[ListedTrade], orders: Sequence[ListedOrder]) -> list[ReadTrade]:
        clients = {(one.symbol, one.number): one.client_id for one in orders}
        return [(one, clients.get(one.place, f"#{one.number}"), self._fill(one)) for one in trades]

    def _fill(self, trade: ListedTrade) -> Fill:
        instrument = self._find(trade.symbol)
        if instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"trade {trade.trade_id} is of {trade.symbol}: no such instrument")
        return filled(instrument, trade)


async def _read(asked: Awaitable[T]) -> T:
    """What a list has. Raises Unavailable (E_VENUE_UNREACHABLE) where the account's connection was lost."""
    try:
        return await asked
    except OSError as lost:
        raise Unavailable("E_VENUE_UNREACHABLE", f"the venue's lists cannot be read: {lost}") from lost


async def _answered(
    order: VenueOrder, act: Callable[[VenueOrder], Awaitable[None]], *, limited: Outcome
) -> VenueAnswer:
    """The answer to an act, with the errors of the account as answers. A cancel that the venue's limits kept away is
    asked for again (UNKNOWN), an order is not.
    """
    try:
        await act(order)
    except VenueRefused as refused:
        return VenueAnswer(Outcome.REJECTED, reason=str(refused))
    except Exhausted as busy:
        return VenueAnswer(limited, reason=str(busy))
    except LOST as lost:
        return _unknown(order, str(lost))
    return VenueAnswer(Outcome.ACCEPTED, order.venue_order_id)


def _unknown(order: VenueOrder, reason: str = "") -> VenueAnswer:
    return VenueAnswer(Outcome.UNKNOWN, order.venue_order_id, reason)
