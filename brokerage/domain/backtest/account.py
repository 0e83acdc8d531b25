"""A simulated account for local backtests: trading and the simulated exchange in memory, stepped by hand.

Per bar: `advance` to its start, `on_bar` (orders fill at its open at the earliest), `advance` to its end, then compute,
then `submit` with the bar's end as the time; such an order meets the next bar. `bars_from_doubles` turns columns of
doubles into bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.lots import FifoBook, LotSplit
from brokerage.domain.accounts.portfolio import Portfolio
from brokerage.domain.accounts.position import Position
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.backtest.direct import DirectOrders, Ticket, fee_bound
from brokerage.domain.backtest.fill_view import FillView, fill_view, view_fill
from brokerage.domain.backtest.lot_history import LotHistory
from brokerage.domain.market.bars import Bar, Quote
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark, mark_of
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.market.ticks import SeenMarket, Tick
from brokerage.domain.models.corporate import Conversion, Dividend, Ending, Expiry, ShareExchange, Split
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE, currency_scale
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import MARGIN_CALL, Order, Owner, Side, order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.limits import NO_LIMITS, Limits
from brokerage.domain.risk.maintenance import AccountMargin, account_margin, liquidation_prices
from brokerage.domain.risk.margin_call import MarginCall, margin_call
from brokerage.domain.simulation.carry import Carry, Payment, book_payment, in_progress
from brokerage.domain.simulation.corporate import apply_action, conversion_of, end_orders, pay_out, waits_for
from brokerage.domain.simulation.exchange import SimulatedExchange
from brokerage.domain.simulation.ticks import TickExchange
from brokerage.domain.trading.commands import cancel, submit
from brokerage.domain.trading.order_lists import AT_ONCE, book_with_lists, settle, submit_list
from qmtl.core.decimals import from_scaled, to_scaled
from qmtl.core.errors import Conflict, InvalidRequest, NotFound

LOCAL = Owner("local", "", "")
"""The owner of orders in a backtest that belongs to no world."""


@dataclass(frozen=True, slots=True)
class PlainAccount:
    """An account of one currency and one symbol: its position, its cash, and the direct order that waits for a bar."""

    position: Position
    cash: int
    waiting: Ticket | None


class SimulatedAccount:
    """One account with cash, positions and orders under one profile. Deterministic: same calls, same events.

    `view` is the account as the pre-trade check sees it, `book` the owner's orders and positions. An order reaches the
    venue `latency_ns` after it is submitted: no bar that starts before then can fill it. Cancels act at once.
    """

    def __init__(
        self,
        profile: BrokerageProfile,
        starting_cash: Mapping[str, Decimal],
        *,
        instruments: Iterable[Instrument] = (),
        owner: Owner = LOCAL,
        limits: Limits = NO_LIMITS,
        latency_ns: int = 0,
    ) -> None:
        ledger = Ledger(profile.settles)
        for currency, amount in starting_cash.items():
            ledger.deposit(currency, to_scaled(amount, currency_scale(currency)))
        self.owner = owner
        self._has_lists = False
        self.book = StrategyBook(ledger)
        self.view = AccountView(
            profile,
            Instruments(instruments),
            next(iter(starting_cash), "USD"),
            ledger.cash,
            ledger.book_of_cash.on_its_way,
            books={owner: self.book},
            limits=limits,
        )
        self._latency_ns = latency_ns
        self._direct = DirectOrders(self.view, self.book, owner)
        self._exchange = SimulatedExchange(profile)
        self._ticks, self._seen = TickExchange(profile), dict[str, SeenMarket]()
        self._carry = Carry(self.view, ledger, in_progress(self.view))
        self._lots = LotHistory()
        self.margin: AccountMargin | None = None

    def instrument(self, symbol: str) -> Instrument:
        """The symbol's properties. Raises NotFound (E_INSTRUMENT_UNKNOWN)."""
        found = self.view.instruments.find(symbol)
        if found is None:
            raise NotFound(
                "E_INSTRUMENT_UNKNOWN",
                f"no properties of {symbol} are known: currencies, tick and lot",
                hint="pass it to Runner.backtest(..., instruments=[...]) or in AccountTerms(instruments=...); a mesh "
                f'knows it by [brokerage.instruments."{symbol}"] in qmtl.toml',
            )
        return found

    def submit(self, order: Order, at_ns: int, *, weight: int = RATE_ONE) -> list[OrderEvent]:
        """Submit an order at a time. A refusal is an event of kind DENIED with its `denial`, not an error."""
        if order.owner != self.owner:
            raise InvalidRequest("E_OWNER_MISMATCH", f"order is for {order.owner}, this account is {self.owner}")
        self._direct.into_book()
        if self._latency_ns:
            order = replace(order, decided_ns=max(order.decided_ns or 0, at_ns) + self._latency_ns)
        return submit(self.view, order, EventTime(at_ns, at_ns), weight=weight)

    def take_direct(self, ticket: Ticket) -> bool:
        """Take a market order without making its events, where no rule can refuse it and it reaches the venue at once;
        `fill_direct` or `on_bar` fills it. False: nothing was done, submit it.
        """
        return not self._latency_ns and not self._has_lists and self._direct.take(ticket)

    def fill_direct(self, symbol: str, bar: Bar) -> FillView | None:
        """Show a bar as `on_bar` does, where all it does is to fill a direct order; None: it is to be shown there."""
        if self._direct.waiting != symbol:
            return None
        found = self._direct.fill(bar)
        if found is None:
            return None
        side, fill = found
        self._lots.filled(symbol, side, fill)
        self.view.marks[symbol] = mark_of(bar)
        return fill_view(self.instrument(symbol), side, fill, bar.end_ns)

    @property
    def direct_symbol(self) -> str:
        """The symbol of the direct order that waits for its bar; empty: none does."""
        return self._direct.waiting

    def plain(self, symbol: str) -> PlainAccount | None:
        """What it holds of a symbol and of its own currency, if that and an order taken direct are all there is."""
        ledger, base = self.book.ledger, self.view.base_currency
        others = any(one.quantity for name, one in ledger.positions.items() if name != symbol)
        others |= any(amount for name, amount in ledger.cash.items() if name != base)
        others |= any(ledger.book_of_cash.on_its_way.values())
        if self._latency_ns or not self._direct.possible or self.book.has_open_orders or others:
            return None
        return PlainAccount(ledger.position(symbol), ledger.cash.get(base, 0), self._direct.ticket)

    def plain_positions(self) -> tuple[Mapping[str, Position], int] | None:
        """Its positions and cash of its own currency, if those are all there is: no order is open or waits."""
        ledger, base = self.book.ledger, self.view.base_currency
        others = any(amount for name, amount in ledger.cash.items() if name != base)
        others |= any(ledger.book_of_cash.on_its_way.values())
        if self._latency_ns or not self._direct.possible or self._direct.waiting or self.book.has_open_orders or others:
            return None
        return ledger.positions, ledger.cash.get(base, 0)

    def resume_positions(self, positions: Mapping[str, Position], cash: int) -> None:
        """Take over what became of positions and cash; their fills are in no lots."""
        for symbol, position in positions.items():
            self.book.ledger.restore(self.instrument(symbol), position)
        self.book.ledger.cash[self.view.base_currency] = cash

    def resume(self, symbol: str, after: PlainAccount) -> None:
        """Take over what became of a plain account; its fills are in no lots."""
        self.book.ledger.restore(self.instrument(symbol), after.position)
        self.book.ledger.cash[self.view.base_currency] = after.cash
        self._direct.put(after.waiting)

    def is_idle(self, symbol: str) -> bool:
        """Whether all that a bar of a symbol does is to move its mark."""
        return self._direct.waiting != symbol and not self._has_lists and not self.book.open_orders(symbol)

    def submit_list(self, orders: Sequence[Order], at_ns: int, *, weight: int = RATE_ONE) -> list[OrderEvent]:
        """Submit orders that belong together: a bracket, or others tied by OTO, OCO or OUO (docs/orders.md).

        Denied whole if one is. Raises InvalidRequest (E_ORDER_LIST_MALFORMED, E_OWNER_MISMATCH).
        """
        for order in orders:
            if order.owner != self.owner:
                raise InvalidRequest("E_OWNER_MISMATCH", f"order is for {order.owner}, this account is {self.owner}")
        self._direct.into_book()
        self._has_lists = True
        return submit_list(self.view, orders, EventTime(at_ns, at_ns), AT_ONCE.first_rest, weight=weight)

    def market(self, symbol: str, side: Side, quantity: Decimal, at_ns: int, client_order_id: str) -> list[OrderEvent]:
        """Submit a market order: it fills at the open of the first bar that starts at or after `at_ns`."""
        return self.submit(Order(self.owner, client_order_id, symbol, side, quantity), at_ns)

    def cancel(self, client_order_id: str, at_ns: int) -> OrderEvent | None:
        """Cancel an open order; None if it is closed already. Raises NotFound."""
        self._direct.into_book()
        time = EventTime(at_ns, at_ns)
        event = cancel(self.book, order_id(self.owner, client_order_id), time)
        self._settle(time)
        return event

    def open_orders(self, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Open orders, of one symbol or of all, in order of acceptance within a symbol."""
        self._direct.into_book()
        return self.book.open_orders(symbol)

    def on_bar(self, symbol: str, bar: Bar, quote: Quote | None = None) -> list[OrderEvent]:
        """Show the next completed bar of a symbol: returns fills and other events, and moves the mark to its close.

        `quote` is the best bid and ask at its close, where they are known.
        """
        if self._direct.waiting == symbol:
            self._direct.into_book()
        if not (self._has_lists or self.book.open_orders(symbol)):
            self.view.marks[symbol] = mark_of(bar)
            return []
        time = EventTime(bar.end_ns, bar.end_ns)
        self.view.marks[symbol] = mark_of(bar)  # what lists are made to do is judged by the price there is then
        reports = self._exchange.on_bar(self.book, symbol, bar, time, quote)
        return self._booked(symbol, reports, time)

    def on_tick(self, symbol: str, tick: Tick) -> tuple[list[OrderEvent], list[Payment]]:
        """Show the next quote, trade or mark price of a symbol: fills and other events, and what time moved until then.

        Ticks of all symbols come in order of time. Orders that arrived since the last one meet the book as it stands,
        then the account's money is brought to the tick, then it meets the orders.
        """
        self._direct.into_book()
        instrument, time = self.instrument(symbol), EventTime(tick.at_ns, tick.at_ns)
        seen = self._seen.setdefault(symbol, SeenMarket())
        events = self._booked(symbol, self._ticks.arriving(self.book, symbol, seen, time), time)
        paid = self.advance(tick.at_ns)
        self._ticks.show(seen, tick, instrument.lot)
        mark = seen.value()
        if mark is not None:
            self.view.marks[symbol] = mark
        return events + self._booked(symbol, self._ticks.on_tick(self.book, symbol, seen, tick, time), time), paid

    def _booked(self, symbol: str, reports: Iterable[VenueReport], time: EventTime) -> list[OrderEvent]:
        """What the venue reports, booked one by one, with what it makes lists do."""
        events = book_with_lists(self.book, reports, partial(self._settle, time))
        events += self._settle(time)
        for event in events:
            if event.fill is not None:
                self._lots.filled(symbol, self.book.records[event.order_id].order.side, event.fill)
        return events

    def _settle(self, time: EventTime, list_id: str = "") -> list[OrderEvent]:
        """What a list, or all of them, are due to do."""
        return settle(self.view, self.book, time, AT_ONCE, list_id) if self._has_lists else []

    def advance(self, at_ns: int) -> list[Payment]:
        """Bring the account's money to an instant: what has settled by then, and what time costs and brings.

        The caller has shown all bars that end by then, and none that starts later.
        """
        return self._carry.advance(at_ns)

    def next_due_ns(self) -> int | None:
        """The first instant at which `advance` may move money; None: while it holds what it holds, at none."""
        return self._carry.next_due_ns()

    def pass_by(self, marks: Mapping[str, Mark]) -> None:
        """Take over the marks that bars have left which did nothing else."""
        self.view.marks.update(marks)

    def end(self, action: Ending) -> tuple[list[OrderEvent], list[Payment]]:
        """End the trading of a symbol: its orders end, none is taken any more, and what needs no price is paid out."""
        self._direct.into_book()
        time = EventTime(action.at_ns, action.at_ns)
        self.view.endings[action.symbol] = action.at_ns
        events = end_orders(self.book, action, time)
        mark, instrument = self.view.marks.get(action.symbol), self.instrument(action.symbol)
        last = mark.price if mark and isinstance(action, Expiry) else 0
        terms = None if waits_for(action) else conversion_of(action, instrument, None, last)
        return events + self._settle(time), [] if terms is None else self._pay_out(action, terms)

    def exchange(self, action: ShareExchange, price: int) -> list[Payment]:
        """Give what is held of a symbol that has ended for what it became, at the first price of that."""
        self._direct.into_book()
        instrument, into = self.instrument(action.symbol), self.instrument(action.into)
        return self._pay_out(action, conversion_of(action, instrument, into, price))

    def _pay_out(self, action: Ending, terms: Conversion | None) -> list[Payment]:
        ledger = self.book.ledger
        paid = [] if terms is None else pay_out(self.book, self.owner, action, terms)
        for payment in paid:
            self._lots.convert(self.instrument(payment.symbol), ledger.position(payment.symbol), payment)
            book_payment(lambda _: ledger, ledger, payment)
        return paid

    def act(self, action: Split | Dividend, price: int) -> tuple[list[OrderEvent], list[Payment]]:
        """Apply a corporate action before the first bar after it; `price` is that bar's open, at the price scale."""
        self._direct.into_book()
        instrument, time = self.instrument(action.symbol), EventTime(action.at_ns, action.at_ns)
        ledger = self.book.ledger
        events, paid = apply_action(self.book, self.owner, instrument, action, price, time)
        for payment in paid:
            book_payment(lambda _: ledger, ledger, payment)
        if isinstance(action, Split):
            self.view.marks[action.symbol] = Mark(price, action.at_ns)
            self._seen.setdefault(action.symbol, SeenMarket()).forget()
            after = LotSplit(action.ratio, self.book.held(action.symbol), sum(payment.amount for payment in paid))
            self._lots.split(action.symbol, after)
        return events, paid

    def lots(self, symbol: str) -> FifoBook:
        """The position's lots, first in first out, beside its average cost; folded anew at each call."""
        return self._lots.book(self.instrument(symbol))

    def convert(self, source: str, target: str, amount: Decimal, rate: Decimal, at_ns: int) -> Decimal:
        """Exchange settled cash at a rate (target per source); what came in.

        Raises InvalidRequest (E_CASH_INSUFFICIENT) for more than is settled.
        """
        units = to_scaled(amount, currency_scale(source))
        bought = self.book.ledger.book_of_cash.convert(source, target, units, rate, at_ns)
        return from_scaled(bought, currency_scale(target))

    def margin_call(self, at_ns: int) -> MarginCall | None:
        """Close what equity no longer covers, by market orders of the account; None where it covers all, or while
        orders of an earlier call are open. `margin` is what it was then.
        """
        self.margin = account_margin(self.view)
        call = margin_call(self.view, self.margin)
        if call is None or any(MARGIN_CALL in record.order.tags for record in self.open_orders()):
            return None
        for number, reduction in enumerate(call.reductions, 1):
            instrument, side = reduction.instrument, Side.BUY if reduction.quantity > 0 else Side.SELL
            quantity = instrument.quantity_decimal(abs(reduction.quantity))
            name = f"{MARGIN_CALL}-{instrument.symbol}-{at_ns}-{number}"
            order = Order(reduction.owner, name, instrument.symbol, side, quantity)
            self.submit(replace(order, reduce_only=True, tags=(MARGIN_CALL,)), at_ns)
        return call

    def liquidation_price(self, symbol: str) -> Decimal | None:
        """The price of a symbol at which its account is closed by force; None where that is not defined."""
        return liquidation_prices(self.view).get(symbol)

    def record(self, client_order_id: str) -> OrderRecord:
        """All that is known of an order. Raises NotFound (ORDER_UNKNOWN)."""
        self._direct.into_book()
        found = self.book.records.get(order_id(self.owner, client_order_id))
        if found is None:
            raise NotFound("E_ORDER_UNKNOWN", f"no order {client_order_id}")
        return found

    def lot(self, symbol: str) -> Decimal:
        """The step of quantities."""
        found = self.instrument(symbol)
        return found.quantity_decimal(found.lot)

    def tick(self, symbol: str) -> Decimal:
        """The step of prices."""
        found = self.instrument(symbol)
        return found.price_decimal(found.tick)

    def fee_bound(self, symbol: str, quantity: Decimal, price: Decimal, at_ns: int) -> tuple[Decimal, Decimal]:
        """What one order of a signed quantity may be charged; see the function of this name."""
        return fee_bound(self.instrument(symbol), self.view.profile.fee, quantity, price, at_ns)

    def position(self, symbol: str) -> Decimal:
        """The signed quantity held."""
        return self.instrument(symbol).quantity_decimal(self.book.ledger.position(symbol).quantity)

    def cash(self, currency: str) -> Decimal:
        """Settled cash."""
        return from_scaled(self.book.ledger.cash.get(currency, 0), currency_scale(currency))

    def free(self, currency: str) -> Decimal:
        """What may still be committed to new orders."""
        self._direct.into_book()
        return from_scaled(self.view.free(currency), currency_scale(currency))

    def equity(self, currency: str) -> Decimal:
        """Cash plus positions at their last close."""
        return from_scaled(self.book.ledger.equity(currency, self._marks()), currency_scale(currency))

    def portfolio(self) -> Portfolio:
        """Cash, positions with average price, realised and unrealised profit and fees, and equity, at last closes."""
        return self.book.ledger.portfolio(self._marks())

    def fill_view(self, event: OrderEvent) -> FillView:
        """A FILLED event as decimals. Raises InvalidRequest for an event of another kind."""
        record, fill = self.book.records[event.order_id], event.fill
        if fill is None or record.instrument is None:
            raise Conflict("E_NOT_A_FILL", f"event {event.seq} of order {event.order_id} is {event.kind.value}")
        return view_fill(record.instrument, record.order.side, event)

    def _marks(self) -> dict[str, int]:
        return {symbol: mark.price for symbol, mark in self.view.marks.items()}
