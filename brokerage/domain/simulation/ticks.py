"""The simulated exchange on ticks: what a quote, a trade or a mark price does to the orders that rest in it."""

from __future__ import annotations

from collections.abc import Iterator

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.ticks import SeenMarket, Tick, TradeTick
from brokerage.domain.models.day_orders import holds_regular_hours
from brokerage.domain.models.fees.volumes import TradedVolumes
from brokerage.domain.models.fills.auctions import in_auction
from brokerage.domain.models.fills.book import left
from brokerage.domain.models.fills.ticks import (
    Taking,
    TickMatch,
    TickRules,
    meet_book,
    meet_tick,
    reach_stop,
    traded_budget,
)
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.events import EventTime, Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import AUCTIONS, MARKET_ONCE_TRIGGERED, TRIGGERABLE, EventKind, TimeInForce
from brokerage.domain.simulation.arrivals import NO_ARRIVALS, OrderArrivals, told_first
from brokerage.domain.simulation.charges import Charges, Trade
from brokerage.domain.simulation.exchange import (
    IMMEDIATE,
    NOTHING_TO_REDUCE,
    TRAILED,
    expired,
    is_withdrawn,
    session_of,
)

POST_ONLY = "POST_ONLY: the order would have taken from the book as it stood when it arrived"


class TickExchange:
    """Matches the orders of one account, under one profile; `arrivals` and `volumes` as of the exchange on bars."""

    def __init__(
        self,
        profile: BrokerageProfile,
        arrivals: OrderArrivals = NO_ARRIVALS,
        volumes: TradedVolumes | None = None,
    ) -> None:
        self._rules = TickRules(profile.slippage, profile.participation, profile.limits_at_touch)
        self._arrivals = arrivals
        self._charges = Charges(profile.fee, volumes or TradedVolumes())

    def show(self, seen: SeenMarket, tick: Tick, lot: int) -> None:
        """Let a market take the next tick over, with what the account may have of its trade."""
        seen.show(tick)
        if isinstance(tick, TradeTick):
            seen.tradable = traded_budget(lot, self._rules.participation, tick.quantity)

    def arriving(self, book: StrategyBook, symbol: str, seen: SeenMarket, time: EventTime) -> Iterator[VenueReport]:
        """What came after the last tick and before the next, at `time`: orders that have arrived meet the book as it
        stands, and a close is made at the last trade before it. Each report is booked before the next.
        """
        for record in _in_turn(book, symbol):
            if record.order.tif is TimeInForce.AT_CLOSE:
                yield from self._closes(book, record, seen, time)
            elif _arrived(record, seen.at_ns, time.at_ns):
                found = meet_book(record, seen, record.accepted_ns, self._rules, _most(book, record))
                yield from self._gets(book, record, found, seen, record.accepted_ns, time)

    def on_tick(
        self, book: StrategyBook, symbol: str, seen: SeenMarket, tick: Tick, time: EventTime
    ) -> Iterator[VenueReport]:
        """Expire and match what rests in a symbol, in order of acceptance. `seen` has taken the tick over. Each report
        is booked before the next.
        """
        for record in _in_turn(book, symbol):
            if record.acknowledged:
                yield from self._step(book, record, seen, tick, time)
            elif self._arrivals.works_unheard(record, tick.at_ns):
                accepted, learned = self._arrivals.accepted_unheard(record, time.received_ns)
                yield from told_first(learned, self._step(book, accepted, seen, tick, time))
            elif not record.on_the_wire and expired(record, tick.at_ns):
                yield VenueReport(record.id, EventKind.EXPIRED, time)

    def _step(
        self, book: StrategyBook, record: OrderRecord, seen: SeenMarket, tick: Tick, time: EventTime
    ) -> Iterator[VenueReport]:
        """What a tick does to one order at the venue."""
        order = record.order
        if expired(record, tick.at_ns) and not (order.tif is TimeInForce.AT_CLOSE and tick.at_ns == record.expire_ns):
            yield VenueReport(record.id, EventKind.EXPIRED, time)
            return
        if tick.at_ns < record.accepted_ns or order.tif is TimeInForce.AT_CLOSE:
            return
        if order.reduce_only and not book.reducible(order):
            yield VenueReport(record.id, EventKind.CANCELED, time, reason=NOTHING_TO_REDUCE)
        elif order.tif is TimeInForce.AT_OPEN:
            yield from self._opens(book, record, tick, seen, time)
        elif _is_stop(record):
            yield from self._reaches(book, record, seen, tick, time)
        else:
            found = meet_tick(record, seen, tick, self._rules, _most(book, record))
            yield from self._gets(book, record, found, seen, tick.at_ns, time)

    def _reaches(
        self, book: StrategyBook, record: OrderRecord, seen: SeenMarket, tick: Tick, time: EventTime
    ) -> Iterator[VenueReport]:
        """A stop that a tick may reach, and what it gets at once of the book."""
        instrument, market = record.instrument, record.order.type in MARKET_ONCE_TRIGGERED
        if market and instrument and not holds_regular_hours(instrument, tick.at_ns, tick.at_ns + 1):
            return
        found = reach_stop(record, tick, self._rules.slippage)
        if found.triggered:
            yield VenueReport(record.id, EventKind.TRIGGERED, time)
        if found.stop is not None or found.limit is not None:
            reason = TRAILED if found.stop is not None else ""
            yield VenueReport(record.id, EventKind.UPDATED, time, reason=reason, stop=found.stop, limit=found.limit)
        if found.triggered:
            record = book.record(record.id)
            got = meet_book(record, seen, tick.at_ns, self._rules, _most(book, record))
            yield from self._gets(book, record, got, seen, tick.at_ns, time)

    def _gets(
        self,
        book: StrategyBook,
        record: OrderRecord,
        found: TickMatch,
        seen: SeenMarket,
        at_ns: int,
        time: EventTime,
    ) -> Iterator[VenueReport]:
        """What an order gets, traded at an instant, and its end where nothing more can come of it."""
        if found.would_take:
            yield VenueReport(record.id, EventKind.CANCELED, time, reason=POST_ONLY)
            return
        for one in found.takings:
            trade = Trade(one.price, one.quantity, one.liquidity, at_ns)
            yield VenueReport(record.id, EventKind.FILLED, time, self._charges.fill(book, record, trade))
            record = book.record(record.id)
            self._deplete(record.order.side, one, seen)
        if found.decided and record.order.tif in IMMEDIATE and not record.closed:
            yield VenueReport(record.id, EventKind.EXPIRED, time)

    def _deplete(self, side: Side, one: Taking, seen: SeenMarket) -> None:
        """What an order took of a quote or of a trade, no other of the account gets."""
        if not self._rules.participation:
            return
        if not one.level:
            seen.tradable -= one.quantity
        elif side is Side.BUY:
            seen.asks = left(seen.asks, one.level, one.quantity)
        else:
            seen.bids = left(seen.bids, one.level, one.quantity)

    def _opens(
        self, book: StrategyBook, record: OrderRecord, tick: Tick, seen: SeenMarket, time: EventTime
    ) -> Iterator[VenueReport]:
        """An order on the open takes part in the first trade of its session."""
        session = session_of(record)
        if session is None or not isinstance(tick, TradeTick) or not session.start_ns <= tick.at_ns < session.end_ns:
            return
        yield from self._auction(book, record, seen, session.start_ns, time)

    def _closes(
        self, book: StrategyBook, record: OrderRecord, seen: SeenMarket, time: EventTime
    ) -> Iterator[VenueReport]:
        """An order on the close takes part in the last trade of its session, once a later tick says that it was."""
        session = session_of(record)
        if session is None or time.at_ns <= session.end_ns or not record.acknowledged:
            return
        if session.start_ns <= seen.traded_ns and record.accepted_ns < session.end_ns:
            yield from self._auction(book, record, seen, session.end_ns, time)
        else:
            yield VenueReport(record.id, EventKind.EXPIRED, time)

    def _auction(
        self, book: StrategyBook, record: OrderRecord, seen: SeenMarket, at_ns: int, time: EventTime
    ) -> Iterator[VenueReport]:
        """What an order gets of the one trade of its auction; the rest ends with it."""
        instrument, most = record.instrument, _most(book, record)
        had = min(record.remaining, most) if seen.tradable < 0 else min(record.remaining, most, seen.tradable)
        if instrument is not None and had > 0:
            slip = Slip(self._rules.slippage, instrument, record.order.side, had, seen.last_quantity, *seen.best(at_ns))
            found = in_auction(seen.last, slip, record.limit, at_open=False)
            if found.quantity:
                trade = Trade(found.price, had, Liquidity.TAKER, max(at_ns, record.accepted_ns))
                yield VenueReport(record.id, EventKind.FILLED, time, self._charges.fill(book, record, trade))
                self._deplete(record.order.side, Taking(found.price, had, Liquidity.TAKER), seen)
        if not book.record(record.id).closed:
            yield VenueReport(record.id, EventKind.EXPIRED, time)


def _in_turn(book: StrategyBook, symbol: str) -> Iterator[OrderRecord]:
    """What rests, in order of acceptance, but for what another order of its list has ended meanwhile."""
    for known in book.open_orders(symbol):
        record = book.record(known.id)
        if not record.closed and not is_withdrawn(known, record):
            yield record


def _arrived(record: OrderRecord, last_ns: int, next_ns: int) -> bool:
    """Whether an order that can trade at once came to the venue between two ticks, and before its end."""
    waits = _is_stop(record) or record.order.tif in AUCTIONS or expired(record, record.accepted_ns)
    return record.acknowledged and not waits and last_ns <= record.accepted_ns <= next_ns


def _is_stop(record: OrderRecord) -> bool:
    """Whether an order waits for a price that makes another of it."""
    return record.order.type in TRIGGERABLE and not record.triggered


def _most(book: StrategyBook, record: OrderRecord) -> int:
    """The most that an order may get."""
    return book.reducible(record.order) if record.order.reduce_only else record.remaining
