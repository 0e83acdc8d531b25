"""The desk of one scope: its open orders, its books and the last prices; commands and bars in, events out.

Batch backtests step one desk in memory; the paper service loads a desk from rows, steps it once and stores what it
answers. The code is the same, so the two agree. The desk never reads a clock: times are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import position_value
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.commitment import committed
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fills.matching import match
from brokerage.domain.models.fills.outcome import Match, NoFill
from brokerage.domain.models.fills.participation import volume_budget
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import EventTime, Fill, OrderEvent
from brokerage.domain.orders.order import Order, Side, SizedOrder, order_id, require_well_formed
from brokerage.domain.orders.record import OrderRecord, born, happened
from brokerage.domain.orders.states import EventKind, OrderState, OrderType, TimeInForce
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals, totals_of
from brokerage.domain.risk.context import RiskContext
from brokerage.domain.risk.exposure import ALONE, NONE, Exposure, exposure_of
from brokerage.domain.risk.rules import WORLD_LIMIT, check, denied_by_world
from brokerage.domain.risk.sizing import size
from brokerage.domain.simulation.arrivals import Arrival
from brokerage.domain.simulation.exchange import NOTHING_TO_REDUCE, RESTS
from brokerage.domain.trading.reports import FOUND, NOT_AT_VENUE, UNKNOWN
from qmtl.core.errors import Conflict, NotFound
from qmtl.core.limits import UNLIMITED

_LAST = {
    EventKind.ACCEPTED: (EventKind.SUBMITTED, EventKind.ACCEPTED),
    EventKind.RELEASED: (EventKind.RELEASED,),
    EventKind.EMULATED: (EventKind.EMULATED,),
}
"""The events after INITIALIZED, by the one they end in."""

_UNSIZED = SizedOrder(0, None, None, None, 0)


class Desk:
    """One scope's orders and books under one profile. Not thread-safe; one caller steps it.

    `free_elsewhere` is what the account has beside this ledger, less what its other scopes have committed. `limits` are
    the world's, beside those of the profile.
    `sums` is what all its open orders come to, also those that were not loaded. `arrivals` is what the venue has of
    orders it was not heard about; `heard` gathers those whose outcome became known.
    """

    def __init__(
        self,
        profile: BrokerageProfile,
        instruments: Instruments,
        ledger: Ledger,
        *,
        trading: TradingState = TradingState.ACTIVE,
    ) -> None:
        self.profile = profile
        self.instruments = instruments
        self.ledger = ledger
        self.trading = trading
        self.marks: dict[str, Mark] = {}
        self.records: dict[str, OrderRecord] = {}
        self.free_elsewhere: dict[str, int] = {}
        self.around = ALONE
        self.limits = UNLIMITED
        self.sums: dict[tuple[str, Side], OpenOrderTotals] = {}
        self.stored_sums: dict[tuple[str, Side], OpenOrderTotals] = {}
        self.arrivals: dict[str, Arrival] = {}
        self.heard: set[str] = set()
        self._working: dict[str, dict[str, OrderRecord]] = {}

    def restore(self, records: Iterable[OrderRecord], marks: Mapping[str, Mark]) -> None:
        """Take over orders and prices that were stored; orders in the order of their acceptance."""
        self.marks.update(marks)
        for record in records:
            self._keep(record)

    def recall(self, records: Iterable[OrderRecord]) -> None:
        """Take over some of the orders that `sums` counts already."""
        for record in records:
            self._put(record)

    def submit(
        self,
        order: Order,
        time: EventTime,
        *,
        weight: int = RATE_ONE,
        refusal: Denial | None = None,
        detail: str = "",
        until: EventKind = EventKind.ACCEPTED,
    ) -> list[OrderEvent]:
        """Check an order and let it rest. The events end in `until`, or in DENIED with the rule's name.

        `until` is ACCEPTED where the venue answers at once, RELEASED where there is a wire before it, EMULATED for a
        stop that is watched here. `refusal` is a denial decided before the desk (the fence). Raises Conflict for a
        client order id in use and InvalidRequest for a malformed order; those leave no trace.
        """
        require_well_formed(order)
        identity = order_id(order.scope, order.client_order_id)
        if identity in self.records:
            raise Conflict("CLIENT_ORDER_ID_USED", f"client_order_id {order.client_order_id} was used")
        instrument = self.instruments.find(order.symbol)
        if refusal is None:
            sized, denial, detail = self._examine(order, instrument, time.at_ns, weight)
        else:
            sized, denial = _UNSIZED, refusal
        first = OrderEvent(
            identity,
            1,
            EventKind.INITIALIZED,
            time.at_ns,
            time.received_ns,
            quantity=sized.quantity,
            limit=sized.limit,
            stop=sized.stop,
            expire_ns=sized.expire_ns,
            worst=sized.worst,
        )
        record = born(order, instrument, first)
        if denial is not None:
            record, last = happened(record, EventKind.DENIED, time, denial=denial, detail=detail)
            self._keep(record)
            return [first, last]
        events = [first]
        for kind in _LAST[until]:
            record, event = happened(record, kind, time)
            events.append(event)
        self._keep(record)
        return events

    def cancel(self, identity: str, time: EventTime, detail: str = "") -> OrderEvent | None:
        """Cancel an open order. None if it is closed already. Raises NotFound (ORDER_UNKNOWN).

        An order that is still on its way cannot be caught: its cancel is pending until the venue has been heard.
        """
        record = self._record(identity)
        if record.closed:
            return None
        if not record.on_the_wire or self._at_venue(record, time.at_ns):
            return self._happen(record, EventKind.CANCELED, time, detail=detail)
        if record.state is OrderState.PENDING_CANCEL:
            return None
        return self._happen(record, EventKind.PENDING_CANCEL, time, detail=detail, unresolved=record.unresolved)

    def release(self, identity: str, time: EventTime, *, direct: bool) -> list[OrderEvent]:
        """Let an emulated order go to the venue as a market order; the caller has asked the fence."""
        kinds = (EventKind.RELEASED, *(_LAST[EventKind.ACCEPTED] if direct else ()))
        return [self._happen(self._record(identity), kind, time) for kind in kinds]

    def narrow(self, identity: str) -> None:
        """From now on an order only reduces: what others have taken off the position by then, it does not."""
        record = self._record(identity)
        self._keep(replace(record, order=replace(record.order, reduce_only=True)))

    def note(self, identity: str, time: EventTime, detail: str) -> list[OrderEvent]:
        """Say once what keeps an order where it is."""
        record = self._record(identity)
        return [] if record.detail == detail else [self._happen(record, EventKind.UPDATED, time, detail=detail)]

    def send(self, identity: str, time: EventTime) -> OrderEvent:
        """The order goes on the wire."""
        return self._happen(self._record(identity), EventKind.SUBMITTED, time)

    def deny(self, identity: str, time: EventTime, denial: Denial, detail: str) -> OrderEvent:
        """Refuse an order that was released and not sent."""
        return self._happen(self._record(identity), EventKind.DENIED, time, denial=denial, detail=detail)

    def answer(self, at_ns: int, received_ns: int) -> list[OrderEvent]:
        """Hear of every order that has arrived by a time and whose answer was not lost."""
        if not self.arrivals:
            return []
        return [
            self._learn(record, received_ns)
            for record in self.open_orders()
            if self._at_venue(record, at_ns) and not self.arrivals[record.id].answer_lost
        ]

    def lose(self, identity: str, time: EventTime) -> list[OrderEvent]:
        """No answer came: the outcome is unknown from now on, which is not a rejection."""
        record = self._record(identity)
        if record.unresolved or not record.on_the_wire:
            return []
        pending = record.state is OrderState.PENDING_CANCEL
        kind = EventKind.PENDING_CANCEL if pending else EventKind.UPDATED
        return [self._happen(record, kind, time, detail=UNKNOWN, unresolved=True)]

    def resolve(self, identity: str, time: EventTime) -> list[OrderEvent]:
        """What a query by venue id says about an unknown outcome; nothing while the order may still be on its way."""
        record = self._record(identity)
        if not record.on_the_wire:
            return []
        if identity not in self.arrivals:
            return [self._happen(record, EventKind.CANCELED, time, detail=NOT_AT_VENUE)]
        return [self._learn(record, time.received_ns, FOUND)] if self._at_venue(record, time.at_ns) else []

    def book(self, identity: str, fill: Fill, time: EventTime) -> OrderEvent:
        """Book a fill the venue reported, whatever state its order is in. The caller has seen that it is new."""
        record = self._record(identity)
        if record.instrument is None:
            raise Conflict("INSTRUMENT_UNKNOWN", f"order {record.id} cannot fill without an instrument")
        self.ledger.book(record.instrument, record.order.side, fill)
        return self._happen(record, EventKind.FILLED, time, fill=fill)

    def on_bar(self, symbol: str, bar: Bar, received_ns: int | None = None) -> list[OrderEvent]:
        """Show a completed bar: expire and match what rests in the symbol, in order of acceptance, then mark it."""
        working = self._working.get(symbol)
        events: list[OrderEvent] = []
        if working:
            budget = self._budget(next(iter(working.values())).instrument, bar)
            time = EventTime(bar.end_ns, bar.end_ns if received_ns is None else received_ns)
            for record in tuple(working.values()):
                budget -= self._step(record, bar, time, budget, events)
        self.marks[symbol] = Mark(bar.close, bar.end_ns, bar.end_ns - bar.start_ns)
        return events

    def reduces(self, order: Order) -> bool:
        """Whether an order can only make the position smaller, were it to fill whole."""
        instrument = self.instruments.find(order.symbol)
        if instrument is None:
            return False
        held = instrument.quantity_decimal(self.ledger.position(order.symbol).quantity)
        return held * order.side.sign < 0 and order.quantity <= abs(held)

    def free(self, currency: str) -> int:
        """Quote currency that may still be committed: cash, or equity less margin, less what open orders may take.

        A position without a price counts as nothing free under margin: it cannot be shown to be covered.
        """
        free = self.ledger.cash.get(currency, 0) + self.free_elsewhere.get(currency, 0)
        if self.profile.buying_power is BuyingPower.MARGIN:
            for symbol, position in self.ledger.positions.items():
                instrument = self.ledger.instruments[symbol]
                if not position.quantity or instrument.quote != currency:
                    continue
                if symbol not in self.marks:
                    return 0
                value = position_value(instrument, position, self.marks[symbol].price)
                free += value - -(-abs(value) // self.profile.leverage)
        return free - sum(self._committed(symbol, currency) for symbol in {symbol for symbol, _ in self.sums})

    def open_orders(self, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Open orders, of one symbol or of all, in order of acceptance within a symbol."""
        if symbol is not None:
            return tuple(self._working.get(symbol, {}).values())
        return tuple(record for working in self._working.values() for record in working.values())

    def _examine(
        self, order: Order, instrument: Instrument | None, at_ns: int, weight: int
    ) -> tuple[SizedOrder, Denial | None, str]:
        if instrument is None:
            return _UNSIZED, Denial.INSTRUMENT_UNKNOWN, ""
        now = RiskContext(
            at_ns=at_ns,
            position=self.ledger.position(order.symbol),
            buys=self.working(order.symbol, Side.BUY),
            sells=self.working(order.symbol, Side.SELL),
            open_orders=sum(working.orders for working in self.sums.values()),
            mark=self.marks.get(order.symbol),
            free=self.free(instrument.quote),
            trading=self.trading,
            weight=weight,
            equity=self.ledger.cash.get(instrument.quote, 0) + self.worth(instrument.quote) + self.around.equity,
            around=self.around,
            limits=self.limits,
        )
        sized = size(order, instrument, now)
        if isinstance(sized, Denial):
            return _UNSIZED, sized, ""
        denial = check(order, sized, instrument, self.profile, now)
        of_world = denial is not None and denied_by_world(denial, order, sized, instrument, self.profile, now)
        return sized, denial, WORLD_LIMIT if of_world else ""

    def _budget(self, instrument: Instrument | None, bar: Bar) -> int:
        return volume_budget(instrument, bar, self.profile) if instrument is not None else 0

    def _record(self, identity: str) -> OrderRecord:
        record = self.records.get(identity)
        if record is None:
            raise NotFound("ORDER_UNKNOWN", f"order {identity} is not known")
        return record

    def _at_venue(self, record: OrderRecord, at_ns: int) -> bool:
        """Whether an order nobody was told about works at the venue by a time."""
        arrival = self.arrivals.get(record.id)
        return record.on_the_wire and arrival is not None and arrival.at_ns <= at_ns

    def _learn(self, record: OrderRecord, received_ns: int, detail: str = "") -> OrderEvent:
        """The venue says that it has the order; a cancel that waited for this is done."""
        kind = EventKind.CANCELED if record.state is OrderState.PENDING_CANCEL else EventKind.ACCEPTED
        return self._happen(record, kind, EventTime(self.arrivals[record.id].at_ns, received_ns), detail=detail)

    def _step(self, record: OrderRecord, bar: Bar, time: EventTime, budget: int, events: list[OrderEvent]) -> int:
        """Do to one order what the bar does to it; returns the volume it took."""
        if record.acknowledged:
            return self._step_at_venue(record, bar, time, budget, events)
        if self._at_venue(record, bar.start_ns) and record.state is OrderState.SUBMITTED:
            return self._step_unheard(record, bar, time, budget, events)
        if not record.on_the_wire and record.expire_ns is not None and bar.start_ns >= record.expire_ns:
            events.append(self._happen(record, EventKind.EXPIRED, time))
        return 0

    def _step_unheard(
        self, record: OrderRecord, bar: Bar, time: EventTime, budget: int, events: list[OrderEvent]
    ) -> int:
        """An order whose answer was lost works all the same; what the bar does to it is the first news of it."""
        learned = self._learn(record, time.received_ns, FOUND)
        made: list[OrderEvent] = []
        taken = self._step_at_venue(self.records[record.id], bar, time, budget, made)
        if made:
            events += [learned, *made]
            return taken
        self._keep(record)
        self.heard.discard(record.id)
        return 0

    def _step_at_venue(
        self, record: OrderRecord, bar: Bar, time: EventTime, budget: int, events: list[OrderEvent]
    ) -> int:
        if record.expire_ns is not None and bar.start_ns >= record.expire_ns:
            events.append(self._happen(record, EventKind.EXPIRED, time))
            return 0
        if record.order.reduce_only and not self._reducible(record):
            events.append(self._happen(record, EventKind.CANCELED, time, detail=NOTHING_TO_REDUCE))
            return 0
        found = match(record, bar, self.profile, budget)
        if found.triggered and record.order.type is OrderType.STOP_LIMIT:
            events.append(self._happen(record, EventKind.TRIGGERED, time))
            record = self.records[record.id]
        if found.quantity:
            events.append(self._fill(record, bar, time, found))
            record = self.records[record.id]
        elif found.why is NoFill.NO_VOLUME and record.detail != RESTS and record.order.type is OrderType.MARKET:
            events.append(self._happen(record, EventKind.UPDATED, time, detail=RESTS))
            record = self.records[record.id]
        decided = record.order.tif in (TimeInForce.IOC, TimeInForce.FOK) and found.why is not NoFill.NOT_YET
        if decided and not record.closed:
            events.append(self._happen(record, EventKind.EXPIRED, time))
        return found.quantity if budget >= 0 else 0

    def _fill(self, record: OrderRecord, bar: Bar, time: EventTime, found: Match) -> OrderEvent:
        instrument = record.instrument
        if instrument is None:
            raise Conflict("INSTRUMENT_UNKNOWN", f"order {record.id} cannot fill without an instrument")
        side = record.order.side
        quantity = min(found.quantity, self._reducible(record)) if record.order.reduce_only else found.quantity
        if quantity > record.remaining:
            raise Conflict("SIMULATED_OVERFILL", f"order {record.id}: fill {quantity} of {record.remaining} remaining")
        notional = instrument.notional(found.price, quantity)
        fee, currency = self.profile.fee.charge(instrument, side, quantity, notional, found.liquidity)
        trade_id = f"{record.id}-{record.seq + 1}"
        venue_ns = bar.start_ns if found.price == bar.open else bar.end_ns
        fill = Fill(trade_id, quantity, found.price, fee, currency, found.liquidity, venue_ns)
        self.ledger.book(instrument, side, fill)
        return self._happen(record, EventKind.FILLED, time, fill=fill)

    def _reducible(self, record: OrderRecord) -> int:
        held = self.ledger.position(record.order.symbol).quantity
        return abs(held) if held * record.order.side.sign < 0 else 0

    def _happen(
        self,
        record: OrderRecord,
        kind: EventKind,
        time: EventTime,
        *,
        fill: Fill | None = None,
        denial: Denial | None = None,
        detail: str = "",
        unresolved: bool = False,
    ) -> OrderEvent:
        after, event = happened(record, kind, time, fill=fill, denial=denial, detail=detail, unresolved=unresolved)
        if not record.acknowledged and after.acknowledged:
            self.heard.add(record.id)
        self._keep(after)
        return event

    def working(self, symbol: str, side: Side) -> OpenOrderTotals:
        """What the open orders of one side in a symbol come to."""
        return self.sums.get((symbol, side), NO_OPEN_ORDERS)

    def _committed(self, symbol: str, currency: str) -> int:
        instrument, mark = self.instruments.find(symbol), self.marks.get(symbol)
        if instrument is None or instrument.quote != currency:
            return 0
        buys, sells = self.working(symbol, Side.BUY), self.working(symbol, Side.SELL)
        return committed(buys, sells, instrument, self.profile, mark.price if mark else 0)

    def exposure(self) -> Exposure:
        """What this strategy's positions and open orders come to at their marks, over all symbols."""
        total = NONE
        for symbol in {*self.ledger.positions, *(symbol for symbol, _ in self.sums)}:
            instrument, mark = self.instruments.find(symbol), self.marks.get(symbol)
            if instrument is not None and mark is not None:
                held = self.ledger.position(symbol).quantity
                buys, sells = (self.working(symbol, side).reach(side, held) for side in Side)
                total += exposure_of(instrument, mark.price, held, buys, sells)
        return total

    def worth(self, currency: str) -> int:
        """Value of the positions quoted in a currency; one without a price adds nothing, which narrows."""
        own = 0
        for symbol, position in self.ledger.positions.items():
            instrument = self.ledger.instruments[symbol]
            if position.quantity and instrument.quote == currency and symbol in self.marks:
                own += position_value(instrument, position, self.marks[symbol].price)
        return own

    def _keep(self, record: OrderRecord) -> None:
        key = (record.order.symbol, record.order.side)
        before, after = totals_of(self.records.get(record.id)), totals_of(record)
        if before != after:
            self.sums[key] = self.sums.get(key, NO_OPEN_ORDERS) - before + after
        self._put(record)

    def _put(self, record: OrderRecord) -> None:
        self.records[record.id] = record
        working = self._working.setdefault(record.order.symbol, {})
        if record.closed:
            working.pop(record.id, None)
        else:
            working[record.id] = record
