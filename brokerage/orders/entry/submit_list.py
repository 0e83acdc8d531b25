"""Takes a list of gated orders in one transaction: all of it is recorded, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from brokerage.books.load import ask_view
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.lists import require_list
from brokerage.domain.orders.order import Order, OrderName, effective
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import GateStamp
from brokerage.domain.trading.order_lists import submit_list as take_list
from brokerage.fences import intents
from brokerage.fences.store import ask_locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal, store
from brokerage.orders.entry.gated import Act, admit, ask_held, bind, placed
from brokerage.orders.entry.submit import add_order
from qmtl.core.errors import Conflict
from qmtl.core.limits import UNLIMITED, RiskLimits


def submit_list(
    conn: Connection,
    market: MarketContext,
    orders: Sequence[Order],
    gate: GateStamp,
    now_ns: int,
    seen: RiskLimits = UNLIMITED,
) -> tuple[list[StoredOrder], bool]:
    """Take a list; its orders as they stand, in the order given, and whether it was known already.

    `seen`: see `hold`. Raises InvalidRequest (E_ORDER_LIST_MALFORMED), NotFound (E_ACCOUNT_UNKNOWN), Conflict
    (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH); none leaves a trace.
    """
    require_list(orders)
    owner = orders[0].owner
    holding = ask_held(conn, market, owner, seen)
    named = [store.ask_order(conn, OrderName(order.owner, order.client_order_id)) for order in orders]
    view_of, binding = ask_view(conn, owner.account), ask_locked_fence(conn, owner.world_id)
    held = holding()
    market, orders = market.of(held.account), [placed(order, held.account) for order in orders]
    known = _known(conn, market, orders, [find(market.instruments) for find in named])
    if known:
        return known, True
    view, fence = view_of(market, held.account), binding()
    bind(conn, market, held, view, fence)
    book = view.book(owner)
    first = [order for order in orders if not order.parent]
    adding = tuple(o.side for o in first if not book.reduces(o, market.instruments.find(o.symbol)))
    account, refused = admit(market, held, fence, gate, now_ns, act=Act(owner, adding))
    refused = refused or next((found for order in orders if (found := market.unsupported(order))), None)
    worked = [effective(o, gate.reduce_only or not fence.may_add(owner.strategy_id, o.side)) for o in orders]
    time = account.time(now_ns, orders[0].symbol)
    events = take_list(view, worked, time, market.first_rest, weight=gate.weight, refusal=refused)
    by_order: dict[str, list[OrderEvent]] = {}
    firsts: dict[str, int] = {}
    for number, event in enumerate(events):
        by_order.setdefault(event.order_id, []).append(event)
        firsts.setdefault(event.order_id, number)
    stored: list[StoredOrder] = []
    for order, (identity, own) in zip(orders, by_order.items(), strict=True):
        record = book.record(identity)
        add_order(conn, account, order, record, gate, after=firsts[identity])
        sent = record.denial is None and not order.parent
        if sent and market.first_rest(record.order) is not EventKind.EMULATED:
            intents.write(conn, record, gate.epoch, now_ns)
        stored.append(StoredOrder(order, gate.epoch, tuple(own), record))
    journal.record(conn, account, [(book, event) for event in events], new=tuple(by_order))
    return stored, False


def _known(
    conn: Connection, market: MarketContext, orders: Sequence[Order], found: Sequence[StoredOrder | None]
) -> list[StoredOrder]:
    """The orders as they stand, if this list was taken before. Raises Conflict (E_ORDER_CONFLICT)."""
    known = [stored for stored in found if stored is not None]
    named = store.records_of_lists(conn, market.instruments, orders[0].owner.account, [orders[0].list_id])
    taken = [record for record in named if record.order.owner == orders[0].owner]
    if [stored.order for stored in known] == list(orders) and len(taken) == len(known):
        return known
    if known or taken:
        raise Conflict(
            "E_ORDER_CONFLICT",
            f"list {orders[0].list_id}, or one of its client_order_ids, is taken by another list or order",
            hint="use new ids for a new list",
            metadata={"client_order_id": orders[0].client_order_id},
        )
    return []
