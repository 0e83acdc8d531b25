"""The simulated exchange: what a bar does to the orders that rest in it. It reports one by one and books nothing."""

from __future__ import annotations

from collections.abc import Iterator

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fills.matching import match
from brokerage.domain.models.fills.outcome import Match, NoFill
from brokerage.domain.models.fills.participation import volume_budget
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.events import EventTime, Fill
from brokerage.domain.orders.record import OrderRecord, happened
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderState, OrderType, TimeInForce
from brokerage.domain.simulation.arrivals import FOUND, NO_ARRIVALS, OrderArrivals
from qmtl.core.errors import NotFound

RESTS = "NO_VOLUME: the bar traded nothing, the order rests"
NOTHING_TO_REDUCE = "REDUCE_ONLY: no position is left to reduce"

_IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class SimulatedExchange:
    """Matches the orders of one owner, under one profile. `arrivals` is what has reached it unheard."""

    def __init__(self, profile: BrokerageProfile, arrivals: OrderArrivals = NO_ARRIVALS) -> None:
        self._profile = profile
        self._arrivals = arrivals

    def on_bar(self, book: StrategyBook, symbol: str, bar: Bar, time: EventTime) -> Iterator[VenueReport]:
        """Expire and match what rests in a symbol, in order of acceptance. Each report is booked before the next."""
        resting = book.open_orders(symbol)
        if not resting:
            return
        instrument = resting[0].instrument
        budget = volume_budget(instrument, bar, self._profile.participation) if instrument is not None else 0
        for record in resting:
            for report in self._step(book, record, bar, time, budget):
                if report.fill is not None and budget >= 0:
                    budget -= report.fill.quantity
                yield report

    def _step(
        self, book: StrategyBook, record: OrderRecord, bar: Bar, time: EventTime, budget: int
    ) -> Iterator[VenueReport]:
        """What the bar does to one order."""
        if record.acknowledged:
            yield from self._step_at_venue(book, record, bar, time, budget)
        elif self._arrivals.at_venue(record, bar.start_ns) and record.state is OrderState.SUBMITTED:
            yield from self._step_unheard(book, record, bar, time, budget)
        elif not record.on_the_wire and record.expire_ns is not None and bar.start_ns >= record.expire_ns:
            yield VenueReport(record.id, EventKind.EXPIRED, time)

    def _step_unheard(
        self, book: StrategyBook, record: OrderRecord, bar: Bar, time: EventTime, budget: int
    ) -> Iterator[VenueReport]:
        """An order whose answer was lost works all the same; what the bar does to it is the first news of it."""
        learned = self._arrivals.answer(record, time.received_ns, FOUND)
        accepted, _ = happened(record, learned.kind, learned.time, detail=learned.reason)
        first = True
        for report in self._step_at_venue(book, accepted, bar, time, budget):
            if first:
                yield learned
            first = False
            yield report

    def _step_at_venue(
        self, book: StrategyBook, record: OrderRecord, bar: Bar, time: EventTime, budget: int
    ) -> Iterator[VenueReport]:
        if record.expire_ns is not None and bar.start_ns >= record.expire_ns:
            yield VenueReport(record.id, EventKind.EXPIRED, time)
            return
        if record.order.reduce_only and not book.reducible(record.order):
            yield VenueReport(record.id, EventKind.CANCELED, time, reason=NOTHING_TO_REDUCE)
            return
        found = match(record, bar, self._profile.slippage, budget)
        if found.triggered and record.order.type is OrderType.STOP_LIMIT:
            yield VenueReport(record.id, EventKind.TRIGGERED, time)
            record = book.record(record.id)
        if found.quantity:
            fill = self._fill(book, record, bar, found)
            yield VenueReport(record.id, EventKind.FILLED, time, fill)
            record = book.record(record.id)
        elif found.why is NoFill.NO_VOLUME and record.detail != RESTS and record.order.type is OrderType.MARKET:
            yield VenueReport(record.id, EventKind.UPDATED, time, reason=RESTS)
            record = book.record(record.id)
        if record.order.tif in _IMMEDIATE and found.why is not NoFill.NOT_YET and not record.closed:
            yield VenueReport(record.id, EventKind.EXPIRED, time)

    def _fill(self, book: StrategyBook, record: OrderRecord, bar: Bar, found: Match) -> Fill:
        instrument = record.instrument
        if instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} cannot fill without an instrument")
        order = record.order
        quantity = min(found.quantity, book.reducible(order)) if order.reduce_only else found.quantity
        notional = instrument.notional(found.price, quantity)
        venue_ns = bar.start_ns if found.price == bar.open else bar.end_ns
        fee, currency = self._profile.fee.charge(
            Execution(
                instrument,
                order.side,
                quantity,
                notional,
                found.liquidity,
                record.filled,
                record.notional,
                at_ns=venue_ns,
            )
        )
        trade_id = f"{record.id}-{record.seq + 1}"
        return Fill(trade_id, quantity, found.price, fee, currency, found.liquidity, venue_ns)
