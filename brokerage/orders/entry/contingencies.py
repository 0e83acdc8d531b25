"""Does what lists are due to do, in the transaction of the event that made it due: a crash loses neither or both."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.books.load import world_beside
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import EventKind
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.fence import Fence
from brokerage.domain.risk.limits import spans_accounts
from brokerage.domain.trading.netted import with_shares
from brokerage.domain.trading.order_lists import Going, settle
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders.entry.permission import may_go


def settle_lists(
    conn: Connection,
    market: MarketContext,
    account: Account,
    view: AccountView,
    book: StrategyBook,
    time: EventTime,
    list_id: str = "",
) -> list[OrderEvent]:
    """Do what one list of one owner, or all, are due to do under the fence of the moment; the intents of what is to be
    sent are written with it.
    """
    owner = next((record.order.owner for record in book.open_in_lists(list_id)), None)
    if owner is None:
        return []
    market = market.of(account)
    fence = fence_of(conn, market, account, view, owner.world_id)
    going = Going(
        market.first_rest,
        lambda book, record: may_go(book, account.trading_state, record, fence, market.kind),
        market.link.direct,
        market.may_cancel,
    )
    made = settle(view, book, time, going, list_id)
    for event in made:
        record = book.record(event.order_id)
        released = event.kind is EventKind.RELEASED or (market.link.direct and event.kind is EventKind.SUBMITTED)
        if released:
            intents.write(conn, record, fence.epoch, time.received_ns)
        elif event.kind is EventKind.PENDING_CANCEL:
            intents.write_cancel(conn, record, time.received_ns)
        elif event.kind is EventKind.PENDING_UPDATE and not market.link.direct:
            intents.write(conn, record, fence.epoch, time.received_ns, VenueAct.REPLACE, record.replaces)
    return made


def fence_of(conn: Connection, market: MarketContext, account: Account, view: AccountView, world_id: str) -> Fence:
    """The fence of the moment, with its limits in the view, for an act that brokerage starts itself."""
    fence = locked_fence(conn, world_id)
    view.world_limits = fence.limits
    if spans_accounts(market.limits, fence.limits):
        view.world_beside = world_beside(conn, market, account, world_id, accounts_store.accounts_of(conn, world_id))
    return fence


def record_in(
    conn: Connection,
    market: MarketContext,
    account: Account,
    loaded: tuple[AccountView, StrategyBook],
    events: Sequence[OrderEvent],
    new: Collection[str] = (),
) -> Account:
    """Store events of one owner, with what they make the lists of that owner do and what they bring the shares of
    netted orders; the account then.
    """
    if not events:
        return account
    view, book = loaded
    made = list(events)
    if any(book.record(event.order_id).order.list_id for event in events):
        last = events[-1]
        made += settle_lists(conn, market, account, view, book, EventTime(last.at_ns, last.received_ns))
    return journal.record(conn, account, with_shares(view, [(book, event) for event in made]), new)
