"""What a venue lists, booked in the account's books: each trade once, orders of others as EXTERNAL."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.books.payments import save_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE, currency_scale
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import EXTERNAL, Order, Owner, order_id
from brokerage.domain.orders.record import OrderRecord, accept_fill, born, happened
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.fence import GateStamp
from brokerage.domain.simulation.carry import Payment
from brokerage.domain.trading import reports
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders import store as orders_store
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.entry.submit import add_order
from brokerage.orders.working import load_orders
from brokerage.venues.listings import MS_NS, ListedOrder, ListedPayment, ListedTrade, filled
from brokerage.venues.reconcile import store
from qmtl.core.decimals import format_decimal, to_scaled
from qmtl.core.errors import NotFound
from qmtl.core.modes import ExecutionDomain

log = structlog.stdlib.get_logger("qmtl.brokerage.venues.reconcile")

_GATE = GateStamp(0, RATE_ONE, ExecutionDomain.LIVE, False)


def adopt(conn: Connection, market: MarketContext, account_name: str, listed: ListedOrder, now_ns: int) -> str:
    """The order of ours that a listed one is; one that nobody here has sent is taken over as EXTERNAL."""
    known = store.order_of(conn, account_name, listed.symbol, listed.number)
    if known is not None:
        return known
    found = store.sent_as(conn, account_name, listed.client_id)
    if found is None:
        found = _take_over(conn, market, accounts_store.account(conn, account_name, lock=True), listed, now_ns)
    store.link(conn, account_name, listed.symbol, listed.number, found)
    return found


def book_trade(conn: Connection, market: MarketContext, account_name: str, trade: ListedTrade, now_ns: int) -> bool:
    """Book a trade of an order that is known; whether it was new.

    Raises NotFound (E_ORDER_UNKNOWN), Conflict (E_TRADE_ID_REUSED): it is booked with other content.
    """
    account = accounts_store.account(conn, account_name, lock=True)
    of = store.order_of(conn, account_name, trade.symbol, trade.number)
    if of is None:
        raise NotFound("E_ORDER_UNKNOWN", f"no order {trade.number} of {trade.symbol} at {account.venue} is known")
    fill = filled(_instrument(market, trade.symbol), trade)
    known = store.known_fill(conn, trade.trade_id, of)
    if not accept_fill(fill, known):
        return False
    view, book = _loaded(conn, market, account, of)
    event = reports.book_fill(book, of, fill, EventTime(fill.venue_ns, now_ns))
    record_in(conn, market, account, (view, book), [event])
    return True


def book_payment(conn: Connection, market: MarketContext, account_name: str, paid: ListedPayment) -> bool:
    """Book funding as the account's own, as of `@external`; whether it was new. Nothing is rounded: refused instead."""
    account = accounts_store.account(conn, account_name, lock=True)
    if not store.keep_payment(conn, account_name, paid.number, paid.at_ms):
        return False
    amount = to_scaled(paid.amount, currency_scale(paid.currency))
    owner = Owner(account_name, EXTERNAL, EXTERNAL)
    payment = Payment(owner, paid.symbol, CashKind.FUNDING, paid.currency, amount, paid.at_ms * MS_NS)
    view = load_view(conn, market, account)
    save_payments(conn, account_name, view, [(account.fill_sequence, payment)])
    return True


def book_state(conn: Connection, market: MarketContext, account_name: str, found: VenueReport) -> bool:
    """Book how an order ended, or that it is there; whether it was news."""
    account = accounts_store.account(conn, account_name, lock=True)
    view, book = _loaded(conn, market, account, found.order_id)
    record = book.record(found.order_id)
    if record.closed or (found.kind is EventKind.ACCEPTED and record.acknowledged):
        return False
    if found.kind is not EventKind.ACCEPTED and reports.lacks_fills(record, found.filled):
        return False  # a trade that was made since trades were read
    record_in(conn, market, account, (view, book), reports.book_found(book, found))
    return True


def _loaded(conn: Connection, market: MarketContext, account: Account, of: str) -> tuple[AccountView, StrategyBook]:
    """The account, and the book of an order's owner with the order and what it is tied to."""
    [record] = orders_store.records(conn, market.instruments, [of])
    return load_orders(conn, market, account, record.order.owner, of)


def _take_over(conn: Connection, market: MarketContext, account: Account, listed: ListedOrder, now_ns: int) -> str:
    """An order of somebody else, from its birth to its acceptance."""
    instrument = _instrument(market, listed.symbol)
    order = _order_of(account, listed)
    record, events = _accepted(order, instrument, listed, now_ns)
    book = load_orders(conn, market, account, order.owner)[1]
    book.keep(record)
    if listed.forced:
        closed = f"{order.side.value} {format_decimal(order.quantity)} {order.symbol}"
        said = f"{account.venue} closed {closed} by order {listed.number}"
        audit.record(conn, now_ns, ("brokerage", ""), "venue_closed_out", account.account, f"{listed.forced}: {said}")
        log.warning("venue_closed_out", account=account.account, symbol=order.symbol, why=listed.forced)
    add_order(conn, account, order, record, _GATE)
    journal.record(conn, account, [(book, event) for event in events], new=record.id)
    return record.id


def _order_of(account: Account, listed: ListedOrder) -> Order:
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP_MARKET,
        (True, True): OrderType.STOP_LIMIT,
    }
    return Order(
        owner=Owner(account.account, EXTERNAL, EXTERNAL),
        client_order_id=f"{listed.symbol} {listed.number}",
        symbol=listed.symbol,
        side=listed.side,
        quantity=listed.quantity,
        type=kinds[listed.limit is not None, listed.stop is not None],
        limit_price=listed.limit,
        stop_price=listed.stop,
        reduce_only=listed.reduce_only,
        venue=account.venue,
        tags=(listed.client_id, listed.forced) if listed.forced else (listed.client_id,),
    )


def _accepted(
    order: Order, instrument: Instrument, listed: ListedOrder, now_ns: int
) -> tuple[OrderRecord, list[OrderEvent]]:
    first = OrderEvent(
        order_id(order.owner, order.client_order_id),
        1,
        EventKind.INITIALIZED,
        listed.at_ms * MS_NS,
        now_ns,
        quantity=to_scaled(listed.quantity, instrument.quantity_scale),
        limit=None if listed.limit is None else instrument.price_units(listed.limit),
        stop=None if listed.stop is None else instrument.price_units(listed.stop),
    )
    record, accepted = happened(
        born(order, instrument, first), EventKind.ACCEPTED, EventTime(listed.at_ms * MS_NS, now_ns)
    )
    return record, [first, accepted]


def _instrument(market: MarketContext, symbol: str) -> Instrument:
    found = market.instruments.find(symbol)
    if found is None:
        raise NotFound("E_INSTRUMENT_UNKNOWN", f"no properties of {symbol[:80]!r} are known")
    return found
