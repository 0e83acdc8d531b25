"""Books of accounts valued at the bars of a data session: what a strategy's trading on paper, or live, came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.accounts.wire import VENUE
from brokerage.books.payments import load_payments
from brokerage.domain.accounts.account import Account, AccountFeed
from brokerage.domain.backtest.booked import BookedFill, Entry, booked_equity
from brokerage.domain.backtest.order_list import OrderStep, ReplayedOrders
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import Order, Owner
from brokerage.domain.simulation.carry import Payment
from brokerage.domain.trading.reports import REPORTED
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.store import OrdersOf
from brokerage.orders.wire import TEXT_MAX
from brokerage.replay.at_venues import in_session, paid_in
from brokerage.replay.bars import SealedBars
from brokerage.replay.wire import ORDERS_MAX, PART_ROWS, account_from_model, fill_events, replies
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import NotReady, refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.stats.trades import closed_trips
from qmtl.wire.fields import require_text
from qmtl.wire.instants import ns_from_proto, ns_to_proto

DENIALS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class BooksQuery:
    """Whose books, on which data session from where to where, and what the account has to be like.

    `own_terms`: the account as it is, with all that the strategy sent. Of an account at a venue nothing but the model's
    starting cash is looked at, the capital that the strategy began with.
    """

    owner: Owner
    session_id: str
    start_ns: int
    model: accountpb.AccountModel
    end_ns: int | None = None
    own_terms: bool = False
    opening_ns: int = -1


@dataclass(frozen=True, slots=True)
class PaperBooks:
    """What one strategy did in an account: fills and denials in order, and what time paid it.

    What the account's own cash bore, interest on its loans, counts whole for each that trades there: nobody leaves it
    out by company.

    `feeds` are those of what it traded; of what it never traded: all of the session's.
    """

    account: Account
    feeds: Sequence[AccountFeed]
    fills: Sequence[OrderStep]
    denials: Sequence[OrderStep]
    payments: Sequence[Payment]
    orders: Sequence[Order] = ()
    until_ns: int | None = None
    opening_ns: int = -1

    @property
    def end_ns(self) -> int:
        """The close up to which every feed has been processed, or the end that was asked for."""
        reached_ns = min(feed.position_ns for feed in self.feeds)
        return reached_ns if self.until_ns is None else min(reached_ns, self.until_ns)


def query_from_proto(message: replayservicepb.ReplayBooksRequest) -> BooksQuery:
    """Raises InvalidRequest (E_FIELD, E_TIMESTAMP)."""
    owner = Owner(
        require_text(message.account, "account", TEXT_MAX),
        require_text(message.world_id, "world_id", TEXT_MAX),
        require_text(message.strategy_id, "strategy_id", TEXT_MAX),
    )
    session = require_text(message.data_session_id, "data_session_id", TEXT_MAX)
    end_ns = ns_from_proto(message.end, "end") if message.HasField("end") else None
    start_ns = ns_from_proto(message.start, "start")
    opening_ns = ns_from_proto(message.opening_at, "opening_at") if message.HasField("opening_at") else -1
    return BooksQuery(owner, session, start_ns, message.account_model, end_ns, message.own_terms, opening_ns)


def load_books(conn: Connection, market: MarketContext, query: BooksQuery) -> PaperBooks:
    """The books that are asked for.

    Raises NotFound (E_ACCOUNT_UNKNOWN), InvalidRequest (E_ACCOUNT_NOT_PAPER, E_ACCOUNT_OTHER_TERMS,
    E_ACCOUNT_OTHER_DATA, E_ACCOUNT_INCOMPLETE, E_TOO_LARGE; at a venue E_DECIMAL, E_FIELD: its capital),
    NotReady (E_ACCOUNT_WITHOUT_BARS).
    """
    owner = query.owner
    account = accounts_store.account(conn, owner.account, owner.world_id)
    if account.venue != VENUE:
        if not query.own_terms:
            raise refused("E_ACCOUNT_NOT_PAPER", "account", f"{account.account} at {account.venue}", "a paper account")
        market = market.of(account)
        account = in_session(conn, market, account, query.session_id, query.model.starting_cash)
    elif not query.own_terms:
        _require_terms(account, query, market)
    _require_whole(account, query.start_ns)
    of = OrdersOf(owner.account, owner.world_id, owner.strategy_id)
    found = store.fills_after(conn, of, 0, ORDERS_MAX + 1, market.instruments)
    if len(found) > ORDERS_MAX:
        raise refused("E_TOO_LARGE", "account", f"{len(found)} fills or more", f"at most {ORDERS_MAX}")
    fills = sorted((OrderStep(stored.order, event) for stored, event, _ in found), key=lambda step: step.event.at_ns)
    _require_own(fills)
    known = load_payments(conn, owner.account, market.instruments)
    payments = [paid for _, paid in known if paid.owner in (owner, None)]
    if account.venue != VENUE:
        payments = paid_in(conn, owner, (paid for _, paid in known if paid.at_ns > query.start_ns))
    feeds = _feeds(account, query.session_id, {step.order.symbol for step in fills})
    orders = _sent(conn, market, owner) if query.own_terms else ()
    denials = _denials(conn, market, owner)
    return PaperBooks(account, feeds, fills, denials, payments, orders, query.end_ns, query.opening_ns)


def _require_whole(account: Account, start_ns: int) -> None:
    """Bars that an account could not take would have filled its orders, and charged it, by their own prices."""
    if account.missed_ns > start_ns:
        at = timestamp_text(from_ns(account.missed_ns))
        told = f"{account.account} could not take bars up to {at}"
        raise refused("E_ACCOUNT_INCOMPLETE", "account", told, "one that took every bar of the session")


def _require_own(fills: Iterable[OrderStep]) -> None:
    """Whoever may report a fill could report any price."""
    for step in fills:
        if step.event.detail == REPORTED:
            told = f"a fill of {step.order.client_order_id} that was reported from outside"
            raise refused("E_ACCOUNT_OTHER_DATA", "account", told, "fills of the paper venue only")


def _require_terms(account: Account, query: BooksQuery, market: MarketContext) -> None:
    model = accountpb.AccountModel()
    model.CopyFrom(query.model)
    model.base_currency = account.base_currency
    asked = account_from_model(model, query.owner, market)
    if not account.same_settings(asked):
        told = f"{account.account}: {_told(account)}"
        raise refused("E_ACCOUNT_OTHER_TERMS", "account", told, f"what the world's policy asks for: {_told(asked)}")


def _told(account: Account) -> str:
    costs = "/".join([account.profile or f"fee {account.fee_rate}", *account.costs])
    return f"{account.type.value} x{account.leverage} with {account.starting_cash} units of cash and {costs}"


def _feeds(account: Account, session_id: str, traded: set[str]) -> list[AccountFeed]:
    """The feeds that brought what was traded, each of the session. Raises NotReady."""
    feeds = [feed for feed in account.feeds if feed.symbol in traded or (not traded and feed.session_id == session_id)]
    other = traded - {feed.symbol for feed in feeds if feed.session_id == session_id}
    if other or not feeds:
        what = f"{', '.join(sorted(other))} on other data" if other else "no feed of it"
        want = f"what the strategy traded on session {session_id}"
        raise refused("E_ACCOUNT_OTHER_DATA", "account", f"{account.account}: {what}", want)
    if any(feed.position_ns == 0 for feed in feeds):
        raise NotReady("E_ACCOUNT_WITHOUT_BARS", f"account {account.account} has processed no bar of {session_id}")
    return feeds


def _denials(conn: Connection, market: MarketContext, owner: Owner) -> list[OrderStep]:
    """Orders that were denied. Raises InvalidRequest (E_TOO_LARGE): nobody's denials are half told."""
    orders = t.orders.c
    mine = (orders.account == owner.account, orders.world_id == owner.world_id, orders.strategy_id == owner.strategy_id)
    count = conn.scalar(sa.select(sa.func.count()).where(*mine, orders.denial != "")) or 0
    if count > DENIALS_MAX:
        raise refused("E_TOO_LARGE", "account", f"{count} denied orders", f"at most {DENIALS_MAX}")
    denied = store.load_orders(conn, market.instruments, *mine, orders.denial != "")
    return [OrderStep(one.order, event) for one in denied for event in one.events if event.denial is not None]


def _sent(conn: Connection, market: MarketContext, owner: Owner) -> list[Order]:
    """Everything that was sent. Raises InvalidRequest (E_TOO_LARGE)."""
    orders = t.orders.c
    mine = (orders.account == owner.account, orders.world_id == owner.world_id, orders.strategy_id == owner.strategy_id)
    count = conn.scalar(sa.select(sa.func.count()).where(*mine)) or 0
    if count > ORDERS_MAX:
        raise refused("E_TOO_LARGE", "account", f"{count} orders", f"at most {ORDERS_MAX}")
    return [one.order for one in store.load_orders(conn, market.instruments, *mine)]


def booked_orders(books: PaperBooks, bars: Sequence[SealedBars]) -> list[replayservicepb.ReplayBooksResponse]:
    """What was sent, with the marks that it arrived at, in messages of at most 1,000."""
    marks: dict[str, Decimal | None] = {}
    for one in bars:
        told = [order for order in books.orders if order.symbol == one.instrument.symbol and order.decided_ns]
        prices = one.closes_by([order.decided_ns or 0 for order in told])
        marks.update(zip((order.client_order_id for order in told), prices, strict=True))
    made = []
    for order in books.orders:
        mark = marks.get(order.client_order_id)
        made.append(
            replaypb.BookedOrder(
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=f"ORDER_SIDE_{order.side.name}",
                decided_at=ns_to_proto(order.decided_ns) if order.decided_ns else None,
                arrival_price="" if mark is None else format_decimal(mark),
            )
        )
    parts = [made[begin : begin + PART_ROWS] for begin in range(0, len(made), PART_ROWS)]
    return [replayservicepb.ReplayBooksResponse(orders=part) for part in parts]


def valued(
    market: MarketContext, books: PaperBooks, bars: Sequence[SealedBars]
) -> list[replayservicepb.ReplayOrdersResponse]:
    """Books at the closes of bars, in the parts of a replay.

    Raises InvalidRequest (E_CURRENCIES: what was traded is in another currency than the account) and as
    `booked_equity` does.
    """
    account, known = books.account, {one.instrument.symbol: one.instrument for one in bars}
    currency = account.base_currency
    for one in known.values():
        if one.quote != currency:
            raise refused("E_CURRENCIES", "account", f"{one.symbol} in {one.quote}", currency)
    entries: list[Entry] = [_booked(step, known) for step in books.fills]
    found = booked_equity(
        Timeline(one.columns() for one in bars), currency, account.starting_cash, [*entries, *books.payments]
    )
    told = ReplayedOrders(
        fills=[step for step in books.fills if step.event.at_ns <= found.times[-1]],
        denials=list(books.denials),
        carried=_by_kind(books.payments, currency, int(found.times[-1])),
        opening_carried=_by_kind(books.payments, currency, books.opening_ns),
        times=found.times,
        equity=found.equity,
        invested=found.invested,
    )
    multipliers = {symbol: instrument.multiplier for symbol, instrument in known.items()}
    trips = closed_trips(fill_events(told, known), currency, multipliers, found.splits)
    return list(replies(told, trips, bars, currency, market.profile_of(account), books.opening_ns))


def _booked(step: OrderStep, known: dict[str, Instrument]) -> BookedFill:
    assert step.event.fill is not None, "a fill"
    return BookedFill(known[step.order.symbol], step.order.side, step.event.fill, step.event.at_ns)


def _by_kind(payments: Iterable[Payment], currency: str, until_ns: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for payment in payments:
        if payment.currency == currency and payment.at_ns <= until_ns:
            found[payment.kind.value] = found.get(payment.kind.value, 0) + payment.amount
    return found
