"""Market orders that no rule can refuse, taken and filled without the records of their events.

An order waits here instead of in the book until the next bar of its symbol fills it whole. Whoever looks into the book
before, and a bar that does not fill it whole, first has it put there (`into_book`) as if it had been there all along.
What is taken is a part of what the pre-trade check lets pass: all else is submitted, and judged by name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.day_orders import opened_ns
from brokerage.domain.models.fees.model import Execution, FeeModel
from brokerage.domain.models.fills.participation import volume_budget
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.events import EventTime, Fill, Liquidity
from brokerage.domain.orders.order import Order, Owner, Side, SizedOrder, order_id
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.limits import NO_LIMITS
from brokerage.domain.risk.sizing import bound, share_of
from brokerage.domain.trading.commands import take
from qmtl.core.decimals import INT64_MAX, to_scaled
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import UNLIMITED

FILL_SEQ = 4
"""INITIALIZED, SUBMITTED and ACCEPTED come before the fill of a market order."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One market order of the account's owner, good till cancelled. `position_target` as in Order."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    at_ns: int
    position_target: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    ticket: Ticket
    instrument: Instrument
    quantity: int


class DirectOrders:
    """At most one order of an account at a time. `waiting` is the symbol of the one that is not filled; empty: none."""

    def __init__(self, view: AccountView, book: StrategyBook, owner: Owner) -> None:
        self.waiting = ""
        self._view, self._book, self._owner = view, book, owner
        self._taken: _Taken | None = None
        profile = view.profile
        self._model = profile.funding
        free = view.limits == NO_LIMITS and view.world_limits == UNLIMITED
        self._possible = free and profile.margins is None and profile.fee.counts is None

    @property
    def possible(self) -> bool:
        """Whether limits and schedules of the account let any order be taken here."""
        free = self._view.trading is TradingState.ACTIVE and not self._view.circuit_open
        return self._possible and free and not self._view.account_limits.binds

    @property
    def ticket(self) -> Ticket | None:
        """The order that waits."""
        return None if self._taken is None else self._taken.ticket

    def put(self, ticket: Ticket | None) -> None:
        """Have an order wait that every rule has passed, or none."""
        self._taken, self.waiting = None, ""
        instrument = None if ticket is None else self._view.instruments.find(ticket.symbol)
        if ticket is not None and instrument is not None:
            quantity = to_scaled(ticket.quantity, instrument.quantity_scale)
            self._taken, self.waiting = _Taken(ticket, instrument, quantity), ticket.symbol

    def take(self, ticket: Ticket) -> bool:
        """Take an order that passes every rule whole at weight 1; False: it has to be submitted."""
        view, book, instrument = self._view, self._book, self._view.instruments.find(ticket.symbol)
        mark = view.marks.get(ticket.symbol)
        if not self._possible or self._taken is not None or instrument is None or mark is None:
            return False
        if mark.at_ns != ticket.at_ns or book.has_open_orders or instrument.quote != view.base_currency:
            return False
        if instrument.margin_tiers or instrument.listed_ns or instrument.delisted_ns or ticket.symbol in view.endings:
            return False
        try:
            quantity = self._sized(ticket, instrument)
            if not quantity or not self._bounded(instrument, quantity, mark.price, book.held(ticket.symbol)):
                return False
            if not self._paid(instrument, ticket.side, quantity, mark.price, ticket.at_ns):
                return False
        except InvalidRequest:
            return False
        self._taken, self.waiting = _Taken(ticket, instrument, quantity), ticket.symbol
        return True

    def _sized(self, ticket: Ticket, instrument: Instrument) -> int:
        """The quantity in units; 0 where it, or its target, is not taken whole. Raises InvalidRequest for misfits."""
        quantity, side = to_scaled(ticket.quantity, instrument.quantity_scale), ticket.side
        if quantity <= 0 or quantity % instrument.lot:
            return 0
        if ticket.position_target is None:
            return quantity
        held = self._book.held(ticket.symbol)
        target = to_scaled(ticket.position_target, instrument.quantity_scale)
        left = held if held * side.sign < 0 else 0
        most = share_of(target, RATE_ONE, instrument.lot)
        return quantity if bound(quantity, side, left, held * side.sign, most) == quantity else 0

    def _bounded(self, instrument: Instrument, quantity: int, price: int, held: int) -> bool:
        """Whether an order is within the bounds of its instrument, and what it makes of the account is countable."""
        view = self._view
        if view.trading is not TradingState.ACTIVE or view.circuit_open or view.account_limits.binds:
            return False
        if quantity < instrument.quantity_min or (instrument.quantity_max and quantity > instrument.quantity_max):
            return False
        instrument.notional(price, abs(held) + quantity)
        worth = instrument.notional(price, quantity)
        within = worth >= instrument.notional_min and (not instrument.notional_max or worth <= instrument.notional_max)
        return within and worth <= INT64_MAX

    def _paid(self, instrument: Instrument, side: Side, quantity: int, price: int, at_ns: int) -> bool:
        """Whether what an order opens is covered, and what it sells is there. No other order is open."""
        view, model, held = self._view, self._model, self._book.held(instrument.symbol)
        if model.kind is BuyingPower.CASH:
            if side is Side.SELL:
                return quantity <= held
            return model.needed(instrument, price, quantity) <= view.cash.get(instrument.quote, 0)
        profile = view.profile
        if side is Side.SELL and profile.borrow and profile.borrowed(instrument.symbol, at_ns).available is not None:
            return False
        more = OpenOrderTotals(1, quantity, 1, 0, quantity)
        buys, sells = (more, NO_OPEN_ORDERS) if side is Side.BUY else (NO_OPEN_ORDERS, more)
        after = model.at_worst(instrument, price, held, buys, sells)
        needed = after - model.held_by_position(instrument.notional(price, held))
        return needed <= 0 or needed <= view.free(view.base_currency)

    def fill(self, bar: Bar) -> tuple[Side, Fill] | None:
        """Book the fill that a bar of the waiting order's symbol gives it; None: the bar does not fill it whole, and it
        is in the book now.
        """
        taken, profile = self._taken, self._view.profile
        if taken is None:
            return None
        instrument, side, quantity = taken.instrument, taken.ticket.side, taken.quantity
        budget = volume_budget(instrument, bar, profile.participation)
        if bar.volume <= 0 or bar.start_ns < taken.ticket.at_ns or 0 <= budget < quantity:
            self.into_book()
            return None
        fill = _fill(profile, instrument, side, quantity, bar, order_id(self._owner, taken.ticket.client_order_id))
        self._book.ledger.book(instrument, side, fill)
        self._taken, self.waiting = None, ""
        return side, fill

    def into_book(self) -> None:
        """Have the waiting order rest in the book, as it has since it was taken."""
        taken = self._taken
        if taken is None:
            return
        self._taken, self.waiting = None, ""
        ticket = taken.ticket
        order = Order(self._owner, ticket.client_order_id, ticket.symbol, ticket.side, ticket.quantity)
        order = replace(order, position_target=ticket.position_target)
        sized, time = SizedOrder(taken.quantity, None, None, None, 0), EventTime(ticket.at_ns, ticket.at_ns)
        take(self._view, order, time, sized, None, EventKind.ACCEPTED)


def _fill(
    profile: BrokerageProfile, instrument: Instrument, side: Side, quantity: int, bar: Bar, identity: str
) -> Fill:
    """The fill of a whole market order at the open of a bar."""
    price = Slip(profile.slippage, instrument, side, quantity, bar.volume).moved(bar.open)
    notional, at_ns = instrument.notional(price, quantity), opened_ns(instrument, bar)
    execution = Execution(instrument, side, quantity, notional, Liquidity.TAKER, 0, 0, 0, at_ns)
    fee, currency = profile.fee.charge(execution)
    return Fill(f"{identity}-{FILL_SEQ}", quantity, price, fee, currency, Liquidity.TAKER, at_ns)


def fee_bound(
    instrument: Instrument, fee: FeeModel, quantity: Decimal, price: Decimal, at_ns: int
) -> tuple[Decimal, Decimal]:
    """The most that one market order of a signed quantity may be charged in quote currency, and what of its quantity is
    withheld where the fee is taken in what is bought. A quantity between two lots counts as the next. A schedule with
    dates is that of `at_ns`. Raises as the schedule does.
    """
    units = int(abs(quantity).scaleb(instrument.quantity_scale).to_integral_value(ROUND_UP))
    notional = instrument.notional(instrument.price_units(price), units)
    side = Side.BUY if quantity > 0 else Side.SELL
    amount, currency = fee.charge(Execution(instrument, side, units, notional, Liquidity.TAKER, at_ns=at_ns))
    withheld = instrument.quantity_decimal(amount) if instrument.withholds(currency) else Decimal(0)
    return instrument.money_decimal(fee.bound(instrument, notional, units)), withheld
