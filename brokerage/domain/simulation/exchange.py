"""The simulated exchange: what a bar does to the orders that rest in it. It reports one by one and books nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar, Quote
from brokerage.domain.models.day_orders import auction_session, closed_ns, holds_regular_hours, opened_ns
from brokerage.domain.models.fees.volumes import TradedVolumes
from brokerage.domain.models.fills.matching import match
from brokerage.domain.models.fills.outcome import NOT_REACHED, Match, NoFill
from brokerage.domain.models.fills.participation import volume_budget
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import (
    AUCTIONS,
    MARKET_ONCE_TRIGGERED,
    EventKind,
    OrderState,
    OrderType,
    TimeInForce,
)
from brokerage.domain.simulation.arrivals import NO_ARRIVALS, OrderArrivals, told_first
from brokerage.domain.simulation.charges import Charges, Trade
from brokerage.domain.simulation.rivals import in_turn
from qmtl.calendars.spans import Span
from qmtl.core.fast_init import fast_init

RESTS = "NO_VOLUME: the bar traded nothing, the order rests"
NOTHING_TO_REDUCE = "REDUCE_ONLY: no position is left to reduce"
NO_QUOTE = "NO_QUOTE: a limit-if-touched order fills at a quote, and this feed has none"
SHORT = "SHORT: the bar had no more volume for it"
TRAILED = "TRAILED: the stop followed the price"

IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@fast_init
@dataclass(frozen=True, slots=True)
class _Shown:
    """One bar as an order meets it: what is known at its end, and the volume still to be had; negative: no cap."""

    bar: Bar
    time: EventTime
    budget: int
    quote: Quote | None


class SimulatedExchange:
    """Matches the orders of one account, under one profile. `arrivals` is what has reached it unheard, `volumes` what
    the account has traded before, by which the venue sets its tier.
    """

    def __init__(
        self,
        profile: BrokerageProfile,
        arrivals: OrderArrivals = NO_ARRIVALS,
        volumes: TradedVolumes | None = None,
    ) -> None:
        self._profile = profile
        self._arrivals = arrivals
        self._charges = Charges(profile.fee, volumes or TradedVolumes())

    def on_bar(
        self, book: StrategyBook, symbol: str, bar: Bar, time: EventTime, quote: Quote | None = None
    ) -> Iterator[VenueReport]:
        """Expire and match what rests in a symbol, in order of acceptance. Each report is booked before the next.

        `quote` is the best bid and ask at the bar's close, where the feed has quotes.
        """
        resting = book.open_orders(symbol)
        if not resting:
            return
        instrument = resting[0].instrument
        budget = volume_budget(instrument, bar, self._profile.participation) if instrument is not None else 0
        for known in in_turn(resting, partial(self._alone, bar=bar, budget=budget, quote=quote)):
            record = book.record(known.id) if known.order.list_id else known
            if record.closed or is_withdrawn(known, record):  # by what another order of its list did in this bar
                continue
            for report in self._step(book, record, _Shown(bar, time, budget, quote)):
                if report.fill is not None and budget >= 0:
                    budget -= report.fill.quantity
                yield report

    def _alone(self, record: OrderRecord, bar: Bar, budget: int, quote: Quote | None) -> Match:
        """What the bar would do to an order by itself."""
        tif = record.order.tif
        session = session_of(record) if tif in AUCTIONS else None
        found = match(record, bar, self._profile.slippage, budget, quote=quote, session=session)
        if _ends_within(record, bar) and not (found.at_open and _opens_before(record, bar)):
            return NOT_REACHED  # whether it was before the order's end only the path within the bar could tell
        return found

    def _step(self, book: StrategyBook, record: OrderRecord, shown: _Shown) -> Iterator[VenueReport]:
        """What the bar does to one order."""
        start_ns = shown.bar.start_ns
        if record.acknowledged:
            yield from self._step_at_venue(book, record, shown)
        elif self._arrivals.works_unheard(record, start_ns):
            accepted, learned = self._arrivals.accepted_unheard(record, shown.time.received_ns)
            yield from told_first(learned, self._step_at_venue(book, accepted, shown))
        elif not record.on_the_wire and expired(record, start_ns):
            yield VenueReport(record.id, EventKind.EXPIRED, shown.time)

    def _step_at_venue(self, book: StrategyBook, record: OrderRecord, shown: _Shown) -> Iterator[VenueReport]:
        bar, time = shown.bar, shown.time
        if expired(record, bar.start_ns):
            yield VenueReport(record.id, EventKind.EXPIRED, time)
            return
        if record.order.reduce_only and not book.reducible(record.order):
            yield VenueReport(record.id, EventKind.CANCELED, time, reason=NOTHING_TO_REDUCE)
            return
        if record.order.type in MARKET_ONCE_TRIGGERED and not record.triggered and not _is_regular(record, bar):
            return
        tif = record.order.tif
        found = self._alone(record, bar, shown.budget, shown.quote)
        if found.triggered or found.stop is not None or found.limit is not None:
            for report in _moves(record, found, shown):
                yield report
                record = book.record(record.id)
        if found.quantity:
            at_ns = _filled_ns(record, bar, found)
            fill = self._charges.fill(book, record, Trade(found.price, found.quantity, found.liquidity, at_ns))
            yield VenueReport(record.id, EventKind.FILLED, time, fill)
            record = book.record(record.id)
        elif found.why is NoFill.NO_VOLUME and record.detail != RESTS and record.order.type is OrderType.MARKET:
            yield VenueReport(record.id, EventKind.UPDATED, time, reason=RESTS)
            record = book.record(record.id)
        if tif is TimeInForce.GTC or record.closed:
            return
        if _is_over(record, found, bar) or _ends_within(record, bar):
            yield VenueReport(record.id, EventKind.EXPIRED, time, reason=_why_short(record, found))


def is_withdrawn(before: OrderRecord, record: OrderRecord) -> bool:
    """Whether an order was asked to end, or to work with less, since a bar began: the bar gives it nothing more. One
    that only reduces cannot take more than is held.
    """
    ends = record.state is OrderState.PENDING_CANCEL and before.state is not OrderState.PENDING_CANCEL
    less = record.wanted is not None and before.wanted is None and record.wanted.quantity < record.quantity
    return (ends or less) and not record.order.reduce_only


def expired(record: OrderRecord, at_ns: int) -> bool:
    """Whether an order has ended by its time at an instant."""
    return record.expire_ns is not None and at_ns >= record.expire_ns


def _filled_ns(record: OrderRecord, bar: Bar, found: Match) -> int:
    return opened_ns(record.instrument, bar) if found.at_open and record.instrument is not None else bar.end_ns


def _ends_within(record: OrderRecord, bar: Bar) -> bool:
    """Whether an order ends before the last trade of a bar may have been made. Auctions are at their session's end."""
    if record.expire_ns is None or record.expire_ns >= bar.end_ns or record.order.tif in AUCTIONS:
        return False
    return record.instrument is None or record.expire_ns < closed_ns(record.instrument, bar)


def _opens_before(record: OrderRecord, bar: Bar) -> bool:
    """Whether the first trade of a bar was made before the end of an order."""
    opened = bar.start_ns if record.instrument is None else opened_ns(record.instrument, bar)
    return record.expire_ns is None or opened < record.expire_ns


def _is_regular(record: OrderRecord, bar: Bar) -> bool:
    """Whether a bar holds regular hours of an order's exchange: stops are tested in no other."""
    return record.instrument is None or holds_regular_hours(record.instrument, bar.start_ns, bar.end_ns)


def session_of(record: OrderRecord) -> Span | None:
    """The session whose auction an order is for."""
    if record.instrument is None or record.expire_ns is None:
        return None
    return auction_session(record.instrument, record.expire_ns)


def _moves(record: OrderRecord, found: Match, shown: _Shown) -> Iterator[VenueReport]:
    """What a bar does to an order's own prices."""
    if found.triggered and not record.triggered:
        blind = record.order.type is OrderType.LIMIT_IF_TOUCHED and shown.quote is None
        yield VenueReport(record.id, EventKind.TRIGGERED, shown.time, reason=NO_QUOTE if blind else "")
    if found.stop is not None or found.limit is not None:
        reason = TRAILED if found.stop is not None else ""
        yield VenueReport(record.id, EventKind.UPDATED, shown.time, reason=reason, stop=found.stop, limit=found.limit)


def _why_short(record: OrderRecord, found: Match) -> str:
    """Why an immediate order got nothing of its bar, or not all."""
    if record.order.tif not in IMMEDIATE:
        return ""
    return SHORT if found.why is None else f"{found.why.name}: {found.why.value}"


def _is_over(record: OrderRecord, found: Match, bar: Bar) -> bool:
    """Whether what is left of an order ends with this bar: one that is immediate, or whose auction was held."""
    if found.why is NoFill.NOT_YET:
        return False
    return record.order.tif in IMMEDIATE or (record.order.tif in AUCTIONS and bar.volume > 0)
