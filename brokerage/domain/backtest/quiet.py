"""Where a backtest has to look: the next step at which orders, time or margin may do something.

Between two of them an account does nothing but be worth something else. What is found may be too early, never too late;
whatever is not known to be quiet is visited, and the reason says what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
import numpy.typing as npt

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.backtest.valuation import notionals, total
from brokerage.domain.market.bars import BarColumns, Integers, Units
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower, BuyingPowerModel
from brokerage.domain.models.fills.trailing import followed_from
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.trading.contingencies import due

Reached = Callable[[int, int], npt.NDArray[np.bool_]]
"""Of the rows in [begin, end), those that reach a price."""


class Why(Enum):
    """Why a step was visited."""

    BEGIN = "the first step"
    DECISION = "a command or an order is due"
    ORDER = "an order may be filled, triggered or expire"
    ORDER_BY_BAR = "an order whose type or time in force changes with every bar, or whose list has something to do"
    TIME = "interest, borrow, funding, a daily settlement or proceeds may be due"
    MARGIN = "equity may not cover the margin in use"
    ACTION = "a split or a dividend is due"
    CURRENCIES = "cash of other currencies than the account's own"
    ENDING = "the run ends once all is closed"
    COMPILED = "a decision or a fill of a stretch in compiled code"
    EVERY = "every step was asked for"


def next_visit(
    account: SimulatedAccount, timeline: Timeline, step: int, end: int, currency: str
) -> tuple[int, Why | None]:
    """The first step in [step, end) at which something may happen without anybody's decision, and why; (end, None)."""
    found: tuple[int, Why | None] = (end, None)
    if account.direct_symbol:
        row = _first_row(timeline, account.direct_symbol, step)
        if row < len(timeline.columns[account.direct_symbol].start_ns):
            found = (min(timeline.step_of(account.direct_symbol, row), end), Why.ORDER)
    open_orders, book = account.book.open_orders(), account.book
    listed = book.open_in_lists()
    if due(listed, book.records, lambda record: book.reducible(record.order)):  # asked for again at every bar
        return step, Why.ORDER_BY_BAR
    for record in open_orders:
        at, why = _order(record, book, timeline, step, found[0])
        if at < found[0]:
            found = (at, why)
    due_ns = account.next_due_ns()
    if due_ns is not None and (at := timeline.step_after(due_ns, step)) < found[0]:
        found = (at, Why.TIME)
    if account.view.profile.buying_power is BuyingPower.MARGIN:
        at, why = _margin(account, timeline, step, found[0], currency)
        if at < found[0]:
            found = (at, why)
    return found


def _order(record: OrderRecord, book: StrategyBook, timeline: Timeline, step: int, end: int) -> tuple[int, Why]:
    """The first step that may change an order: it touches its price, or the order is over by then."""
    order, symbol = record.order, record.order.symbol
    if record.waiting and order.tif is TimeInForce.GTC:  # for an order of its list: no bar reaches it
        return end, Why.ORDER
    begin, stop = _first_row(timeline, symbol, step), timeline.newest(symbol, end - 1) + 1 if end > step else 0
    if begin >= stop:
        return end, Why.ORDER
    columns = timeline.columns[symbol]
    if order.type is OrderType.MARKET and order.tif is TimeInForce.GTC and not order.reduce_only:
        row = max(begin, int(np.searchsorted(columns.start_ns, record.accepted_ns)))
        return (timeline.step_of(symbol, row) if row < stop else end), Why.ORDER
    if not _rests(record, book):
        return timeline.step_of(symbol, begin), Why.ORDER_BY_BAR
    if record.expire_ns is not None:
        last_start_ns = record.expire_ns - columns.interval_ns  # a later bar ends after the order, or begins after it
        stop = min(stop, max(int(np.searchsorted(columns.start_ns, last_start_ns, side="right")) + 1, begin + 1))
        over = bool(columns.start_ns[stop - 1] > last_start_ns)
    else:
        over = False
    row = _touched(record, columns, begin, stop)
    if row < 0:
        row = stop - 1 if over else -1
    return (timeline.step_of(symbol, row) if row >= 0 else end), Why.ORDER


def _first_row(timeline: Timeline, symbol: str, step: int) -> int:
    """The first row of a symbol that closes at a step or after it."""
    return timeline.newest(symbol, step - 1) + 1 if step else 0


_RESTING = frozenset({OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_CARRIED = frozenset({TimeInForce.GTC, TimeInForce.GTD, TimeInForce.DAY})


def _rests(record: OrderRecord, book: StrategyBook) -> bool:
    """Whether bars that do not touch its price do nothing to an order."""
    order = record.order
    works = record.acknowledged and not record.triggered and not (order.reduce_only and not book.reducible(order))
    return works and order.type in _RESTING and order.tif in _CARRIED


def _touched(record: OrderRecord, columns: BarColumns, begin: int, stop: int) -> int:
    """The first row in [begin, stop) whose range reaches an order's price, or has its stop follow; -1: none does."""
    buys, is_limit = record.order.side is Side.BUY, record.order.type is OrderType.LIMIT
    price = record.limit if is_limit else record.stop
    if price is None:
        return begin
    # a buy's limit and a sale's stop are reached from above, by the low
    bounds = [_at_most(columns.low, price) if buys is is_limit else _at_least(columns.high, price)]
    if record.order.type is OrderType.TRAILING_STOP:
        followed = followed_from(record.order, price, columns.instrument)
        if followed is None:
            return begin
        bounds.append(_at_most(columns.low, followed) if buys else _at_least(columns.high, followed))
    width = 64
    while begin < stop:
        upto = min(begin + width, stop)
        hits = np.flatnonzero(np.any([reached(begin, upto) for reached in bounds], axis=0))
        if len(hits):
            return begin + int(hits[0])
        begin, width = upto, width * 4
    return -1


def _at_most(column: Units, price: int) -> Reached:
    bound = price // column.factor
    return lambda begin, end: column.whole[begin:end] <= bound


def _at_least(column: Units, price: int) -> Reached:
    bound = -(-price // column.factor)
    return lambda begin, end: column.whole[begin:end] >= bound


def _margin(account: SimulatedAccount, timeline: Timeline, step: int, end: int, currency: str) -> tuple[int, Why]:
    """The first step at whose close equity may not be more than the margin in use, or so little that it is told."""
    ledger = account.book.ledger
    held = {symbol: position for symbol, position in ledger.positions.items() if position.quantity}
    if not held:
        return end, Why.MARGIN
    if account.view.profile.margins is not None:
        return step, Why.MARGIN
    if any(amount for other, amount in ledger.cash.items() if other != currency):
        return step, Why.CURRENCIES
    cash, model = ledger.book_of_cash.total(currency), account.view.profile.funding
    by_tiers = any(model.by_tiers(timeline.columns[symbol].instrument) for symbol in held)
    width = 64
    while step < end:
        upto = min(step + width, end)
        equity: list[Integers] = [np.full(upto - step, cash, dtype=np.int64)]
        used: list[Integers] = []
        for symbol, position in held.items():
            columns, rows = timeline.columns[symbol], timeline.rows(symbol, step, upto)
            prices = Units(columns.close.whole[rows], columns.close.factor)
            quantities = np.full(upto - step, position.quantity, dtype=np.int64)
            values = notionals(columns.instrument, prices, quantities)
            used.append(_kept(model, columns.instrument, values))
            equity.append(values - position.cost if columns.instrument.pays_profit_only else values)
        margin = total(used, "margin")
        if by_tiers:
            margin = margin + margin // WARNED_SHARE + 1
        short = np.flatnonzero(total(equity, "equity") <= margin)
        if len(short):
            return step + int(short[0]), Why.MARGIN
        step, width = upto, width * 4
    return end, Why.MARGIN


WARNED_SHARE = 19
"""Equity of the margin and a 19th of it is that of which the margin is 95 %: from there on it is told (maintenance)."""


def _kept(model: BuyingPowerModel, instrument: Instrument, values: Integers) -> Integers:
    """The margin that values must keep, by the leverage; by tiers no less than it, at the rate of the largest value."""
    sizes = np.abs(values)
    share = model.leverage
    if model.by_tiers(instrument):
        share = RATE_ONE // instrument.margin_tiers.tier_of(int(sizes.max())).rate
    kept: Integers = (sizes + (share - 1)) // share
    return kept
