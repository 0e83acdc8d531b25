"""One account at a real exchange, behind the port.

An order is sent once under its id; without an answer its outcome is UNKNOWN, and only a query decides. An order that
the exchange does not list counts as absent when it was asked twice, its acceptance window and a second apart.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import venue_order_id
from brokerage.domain.orders.reports import Outcome, VenueAnswer, VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.ccxt.dialects.dialect import CONDITIONAL, ORDERS_MAX, Dialect, OutgoingOrder
from brokerage.venues.history import (
    NUMBERS_PER_MS,
    Absences,
    ReadTrade,
    counted,
    events_after,
    filled_of,
    fills_after,
    in_order,
)
from brokerage.venues.listings import MS_NS, ListedOrder, ListedPayment, ListedTrade, filled
from brokerage.venues.port import VenueEvent, VenueFill
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, OutOfRange, Unavailable
from qmtl.core.instants import to_ns
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, NotSent, VenueRefused, outcomes

NOT_WORKING = "NOT_WORKING: no order works at the venue under this id"
ALL_EVERY_S = 600.0


class CcxtVenue:
    """An account at an exchange that trades `instruments`, by their symbols."""

    def __init__(
        self, dialect: Dialect, connection: Connection, clock: Clock, instruments: Mapping[str, Instrument]
    ) -> None:
        self._dialect = dialect
        self._at = connection
        self._clock = clock
        self._instruments = instruments
        self._answers: dict[str, VenueAnswer] = {}  # what this process has sent, and what it heard
        self._all_at: float | None = None  # when all orders were listed, if each was of an instrument
        self._absences = Absences()
        self._ours: dict[str, str] = {}  # our ids of orders by the ids they were sent with
        self._clients: dict[tuple[str, str], str] = {}  # the client's id by symbol and number of the exchange

    @property
    def traits(self) -> VenueTraits:
        return self._dialect.traits

    async def submit(self, order: VenueOrder) -> VenueAnswer:
        known = self._answers.get(order.venue_order_id)
        if known is None:
            known = await self._send(order, order.order.quantity)
        return known

    async def replace(self, order: VenueOrder, by: VenueOrder) -> VenueAnswer:
        """Replace in one act where the exchange has one and nothing has filled; else cancel, learn what had filled, and
        send the rest under the new id: never more than is wanted in all.
        """
        known = self._answers.get(by.venue_order_id)
        if known is not None:
            return known
        if self.traits.replaces_in_one_act and not await self._filled_before(order):
            swap = partial(self._dialect.replace, self._at, order.venue_order_id)
            swapped = await self._submit(by, swap, by.order.quantity)
            if swapped is not None:
                return swapped
        ended = await self._end(order)
        if isinstance(ended, VenueAnswer):
            return ended
        done = filled_of(order, ended)
        left = by.order.quantity - done
        if left <= 0:
            return VenueAnswer(Outcome.REJECTED, reason=f"{done} had filled by then")
        return await self._send(by, left)

    async def cancel(self, order: VenueOrder) -> VenueAnswer:
        ended = await self._end(order)
        if not isinstance(ended, VenueAnswer):
            return _ended(order, ended)
        if ended.reason == NOT_WORKING:  # perhaps by this very cancel: a lost connection may have sent it twice
            found = await self._listed(order)
            if found is not None and found.kind is EventKind.CANCELED:
                return _ended(order, found)
        return ended

    async def query(self, order: VenueOrder) -> VenueReport | None:
        listed, now_ns = await self._listed(order), to_ns(self._clock.now())
        return self._absences.report(order, listed, now_ns, self.traits.acceptance_window_ns)

    async def open_orders(self, symbol: str = "") -> list[str]:
        if symbol and symbol not in self._instruments:
            return []
        return [listed.client_id for listed in await self._dialect.open_orders(self._at, symbol)]

    async def fills_since(self, number: int) -> list[VenueFill]:
        """Fills of all instruments from the millisecond of `number` on; fills of one millisecond are told apart by
        their place in it. Who reads on asks from some time before what it has read: a venue may list a fill late.
        """
        return fills_after(number, await self._read(await self.trades(number // NUMBERS_PER_MS)))

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        return in_order(await self._dialect.trades(self._at, self._instruments.keys(), since_ms))

    async def payments(self, since_ms: int) -> list[ListedPayment]:
        found = [one for one in await self._dialect.payments(self._at, since_ms) if one.symbol in self._instruments]
        return sorted(found, key=lambda one: (one.at_ms, counted(one.number)))

    async def working(self) -> list[ListedOrder]:
        """All orders at first, every ten minutes, and while any is of another instrument; else those of the
        instruments, one by one where that is cheaper.
        """
        now = self._clock.monotonic()
        few = len(self._instruments) <= self._dialect.lists_per_all
        if few and self._all_at is not None and now - self._all_at < ALL_EVERY_S:
            return [one for symbol in self._instruments for one in await self._dialect.open_orders(self._at, symbol)]
        found = await self._dialect.open_orders(self._at, "")
        self._all_at = now if all(one.symbol in self._instruments for one in found) else None
        return found

    async def listed(self, symbol: str, number: str) -> ListedOrder | None:
        return await self._dialect.order(self._at, symbol, number=number)

    async def pace(self, purpose: Purpose, acts: int) -> float:
        """See to it that so many acts can be sent at once: 0.0, or the seconds after which to ask again."""
        return await self._at.pace(purpose, acts)

    async def told(self) -> None:
        with outcomes(self._at.exchange.id):
            await self._dialect.told(self._at)

    async def balances(self) -> dict[str, Decimal]:
        return await self._dialect.balances(self._at)

    async def positions(self) -> dict[str, Decimal]:
        return await self._dialect.positions(self._at)

    async def stream(self, after: int = 0) -> AsyncGenerator[VenueEvent, None]:
        """What the exchange lists after a number, read again each time that it tells of something: its own stream may
        drop, repeat and reorder, its lists do not. An order that is replaced ends there, and one with a new id begins.
        """
        while True:
            for event in await self._events(after):
                after = event.number
                yield event
            await self.told()

    async def _events(self, after: int) -> list[VenueEvent]:
        orders: list[ListedOrder] = []
        for symbol in self._instruments:
            history = await self._dialect.orders(self._at, symbol)
            if len(history) >= ORDERS_MAX and history[0].created_ms > after // NUMBERS_PER_MS:
                oldest = history[0].created_ms * NUMBERS_PER_MS
                raise OutOfRange("E_RESUME_TOO_OLD", f"{symbol} is listed from {oldest} on, not from {after}")
            orders += history
        trades = await self._read(await self.trades(after // NUMBERS_PER_MS))
        return events_after(after, orders, trades, self._ours)

    async def _read(self, trades: Sequence[ListedTrade]) -> list[ReadTrade]:
        return [
            (trade, await self._client_of(trade), filled(self._instruments[trade.symbol], trade)) for trade in trades
        ]

    async def _send(self, order: VenueOrder, quantity: Decimal) -> VenueAnswer:
        answer = await self._submit(order, partial(self._dialect.submit, self._at), quantity)
        if answer is None:
            raise AssertionError("an exchange takes an order or it does not")
        return answer

    async def _submit(
        self, order: VenueOrder, send: Callable[[OutgoingOrder], Awaitable[ListedOrder | None]], quantity: Decimal
    ) -> VenueAnswer | None:
        """Send an order once, and keep what came of it; None where nothing was sent."""
        self._answers[order.venue_order_id] = VenueAnswer(Outcome.UNKNOWN, order.venue_order_id)
        self._ours[order.venue_order_id] = order.order_id
        try:
            listed = await send(_outgoing(order, quantity))
            if listed is None:
                del self._answers[order.venue_order_id]
                return None
            answer = _accepted(listed)
        except VenueRefused as refused:
            answer = await self._refused(order, refused)
        except (NotSent, Unavailable) as lost:
            answer = VenueAnswer(Outcome.UNKNOWN, order.venue_order_id, str(lost))
        except Exhausted as limited:
            answer = VenueAnswer(Outcome.REJECTED, reason=str(limited))
        self._answers[order.venue_order_id] = answer
        return answer

    async def _end(self, order: VenueOrder) -> ListedOrder | VenueAnswer:
        """Cancel an order: as it ended, or the answer where it did not, or nobody knows. What the exchange did not look
        at (429, 418) is not known either: it is asked about and sent again, when the limits let it.
        """
        try:
            symbol, client_id = order.order.symbol, order.venue_order_id
            ended = await self._dialect.cancel(self._at, symbol, client_id, conditional=_waits(order))
        except (Exhausted, Unavailable) as lost:
            return VenueAnswer(Outcome.UNKNOWN, order.venue_order_id, str(lost))
        except VenueRefused as refused:
            return VenueAnswer(Outcome.REJECTED, reason=str(refused))
        return ended or VenueAnswer(Outcome.REJECTED, reason=NOT_WORKING)

    async def _filled_before(self, order: VenueOrder) -> bool:
        """Whether some of an order had filled before its last replace, or that cannot be told: the exchange's own act
        looks at what works alone, so it would trade that much too much.
        """
        if order.venue_order_id == venue_order_id(order.order_id, 0, self.traits.order_id_length_max):
            return False
        try:
            listed = await self._listed(order)
        except (VenueRefused, Exhausted, Unavailable):
            return True
        return listed is None or listed.quantity != order.order.quantity

    async def _refused(self, order: VenueOrder, refused: VenueRefused) -> VenueAnswer:
        """A refusal, unless the exchange has the order: its id was refused because it is there already."""
        try:
            listed = await self._listed(order)
        except (VenueRefused, Exhausted, Unavailable):
            return VenueAnswer(Outcome.UNKNOWN, order.venue_order_id, str(refused))
        return VenueAnswer(Outcome.REJECTED, reason=str(refused)) if listed is None else _accepted(listed)

    async def _listed(self, order: VenueOrder) -> ListedOrder | None:
        symbol, client_id = order.order.symbol, order.venue_order_id
        return await self._dialect.order(self._at, symbol, client_id=client_id, conditional=_waits(order))

    async def _client_of(self, trade: ListedTrade) -> str:
        """The id that the client gave the order of a trade."""
        key = (trade.symbol, trade.number)
        if key not in self._clients:
            listed = await self._dialect.order(self._at, trade.symbol, number=trade.number)
            self._clients[key] = f"#{trade.number}" if listed is None else listed.client_id
        return self._clients[key]


def _accepted(listed: ListedOrder) -> VenueAnswer:
    return VenueAnswer(Outcome.ACCEPTED, listed.client_id, at_ns=listed.at_ms * MS_NS)


def _ended(order: VenueOrder, listed: ListedOrder) -> VenueAnswer:
    """The answer to a cancel, with how much had filled by then."""
    return replace(_accepted(listed), filled=filled_of(order, listed))


def _waits(order: VenueOrder) -> bool:
    return order.order.type in CONDITIONAL


def _outgoing(order: VenueOrder, quantity: Decimal) -> OutgoingOrder:
    asked = order.order
    return OutgoingOrder(
        client_id=order.venue_order_id,
        symbol=asked.symbol,
        side=asked.side,
        type=asked.type,
        tif=asked.tif,
        quantity=quantity,
        limit=asked.limit_price,
        stop=asked.stop_price,
        reduce_only=asked.reduce_only,
        post_only=asked.post_only,
        purpose=Purpose.REDUCE if asked.reduce_only else Purpose.INCREASE,
        position_side=asked.position_side,
        trail_offset=asked.trail_offset,
        trail_offset_type=asked.trail_offset_type,
    )
