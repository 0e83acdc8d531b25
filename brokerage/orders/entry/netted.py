"""Takes a netted order in one transaction: every share is asked for its own world's fence, entry and budget, and one
that may not trade denies the order by its name. Nobody nets the rest again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view, world_beside
from brokerage.domain.accounts.account import Account
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.order import Order, OrderName, OrderShare, SizedOrder
from brokerage.domain.orders.record import share_units
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.fence import Fence, GateStamp, moved
from brokerage.domain.risk.limits import spans_accounts
from brokerage.domain.trading import netted
from brokerage.domain.trading.commands import take
from brokerage.fences import intents
from brokerage.fences.change import current
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal, store
from brokerage.orders.entry.gated import counted, placed
from brokerage.orders.entry.permission import shares_refused
from brokerage.orders.entry.submit import add_order, same_order
from brokerage.orders.working import load_open_orders
from qmtl.core.modes import ExecutionDomain


def submit_netted(
    conn: Connection, market: MarketContext, order: Order, domain: ExecutionDomain, now_ns: int
) -> tuple[StoredOrder, bool]:
    """Take a netted order; the answer and whether it was known already. One whose shares cross trades at the mark, and
    is answered by what its shares got: no order of it is kept.

    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH, whose message names the
    share); none leaves a trace.
    """
    account, fences = _locked(conn, market, order)
    market, order = market.of(account), placed(order, account)
    known = _known(conn, market, order)
    if known is not None:
        return known, True
    refused = shares_refused(order, fences, domain, market.kind)
    adding = any(not share.reduce_only for share in order.shares)
    account, slowed = counted(account, market.limits.orders_per_s_max, now_ns, reduces=not adding)
    time = account.time(now_ns, order.symbol)
    sized, denied = _judged(conn, market, account, order, fences, time.at_ns)
    refused = refused or slowed or market.unsupported(order) or denied
    if order.crosses:
        return _crossed(conn, account, load_open_orders(conn, market, account), order, time, refused), False
    view = load_view(conn, market, account)
    made = take(view, order, time, sized, refused, market.first_rest(order))
    book = view.book(order.owner)
    record = book.record(made[0].order_id)
    add_order(conn, account, order, record, GateStamp(intents.NO_FENCE, RATE_ONE, domain, False))
    if record.denial is None:
        intents.write(conn, record, intents.NO_FENCE, now_ns)
    journal.record(conn, account, [(book, event) for event in made], new=(record.id,))
    return StoredOrder(order, intents.NO_FENCE, tuple(made), record), False


def _locked(conn: Connection, market: MarketContext, order: Order) -> tuple[Account, Mapping[str, Fence]]:
    """The account and the fences of all shares, locked in the order that everybody locks them. With a limit over a
    world's accounts these are locked too.
    """
    worlds, name = sorted({share.world_id for share in order.shares}), order.owner.account
    seen = {world_id: current(conn, world_id)[0] for world_id in worlds}
    spanning = [world_id for world_id in worlds if spans_accounts(market.limits, seen[world_id].limits)]
    beside = {each.account for world_id in spanning for each in accounts_store.accounts_of(conn, world_id)}
    for other in sorted(beside | {name}):
        accounts_store.find_account(conn, other, lock=True)
    for world_id in worlds:
        account = accounts_store.account(conn, name, world_id)
    fences = {world_id: locked_fence(conn, world_id) for world_id in worlds}
    for world_id, fence in fences.items():
        if world_id not in spanning and spans_accounts(market.limits, fence.limits):
            raise moved(fence)
    return account, fences


def _judged(
    conn: Connection, market: MarketContext, account: Account, order: Order, fences: Mapping[str, Fence], at_ns: int
) -> tuple[SizedOrder, Refusal | None]:
    """What the rules say of the whole and of each share, those that only reduce first, in books that are let go
    after.
    """
    view = load_view(conn, market, account)
    sized, refused = netted.judge_whole(view, order, at_ns)
    for share in _reducing_first(order.shares):
        if refused is None:
            fence = fences[share.world_id]
            view.world_limits = fence.limits
            if spans_accounts(market.limits, fence.limits):
                others = accounts_store.accounts_of(conn, share.world_id)
                view.world_beside = world_beside(conn, market, account, share.world_id, others)
            refused = netted.judge_share(view, order, share, at_ns)
    return sized, refused


def _reducing_first(shares: Iterable[OrderShare]) -> list[OrderShare]:
    return sorted(shares, key=lambda share: not share.reduce_only)


def _known(conn: Connection, market: MarketContext, order: Order) -> StoredOrder | None:
    """An order that was taken before, or of one that crossed what its first share got."""
    if not order.crosses:
        known = store.find_order(conn, OrderName(order.owner, order.client_order_id), market.instruments)
        return None if known is None else same_order(known, _gated_as(known.order, order))
    first = order.shares[0].owner(order.owner.account)
    name = OrderName(first, f"{order.client_order_id}.{netted.CROSSED}")
    return store.find_order(conn, name, market.instruments)


def _gated_as(known: Order, order: Order) -> Order:
    """An order with the epochs that another was gated under: sent again it is the same order."""
    if len(known.shares) != len(order.shares):
        return order
    epochs = zip(order.shares, known.shares, strict=True)
    return replace(order, shares=tuple(replace(share, epoch=before.epoch) for share, before in epochs))


def _crossed(
    conn: Connection, account: Account, view: AccountView, order: Order, time: EventTime, refused: Refusal | None
) -> StoredOrder:
    """The first share's order; a denied one stands for a cross that may not be. `view` has all open orders."""
    mark, instrument = view.marks.get(order.symbol), view.instruments.find(order.symbol)
    if refused is None and instrument is not None:
        refused = netted.overtaking(view, order, map(abs, share_units(order, instrument)))
    if refused is not None or mark is None or instrument is None:
        refused = refused or Refusal(Denial.PRICE_STALE, f"no price of {order.symbol} is known yet")
        own = netted.order_of_share(order, order.shares[0])
        named = replace(own, client_order_id=f"{order.client_order_id}.{netted.CROSSED}", tags=order.tags)
        book = view.book(own.owner)
        made = take(view, named, time, SizedOrder(0, None, None, None, 0), refused, EventKind.ACCEPTED)
        done = [(book, event) for event in made]
    else:
        done = netted.cross(view, order, share_units(order, instrument), mark.price, time)
    first = done[0][0].record(done[0][1].order_id)
    journal.record(conn, account, done)
    events = tuple(event for _, event in done if event.order_id == first.id)
    return StoredOrder(first.order, intents.NO_FENCE, events, first)
