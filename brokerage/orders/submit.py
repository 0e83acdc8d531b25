"""Takes one gated order in one transaction."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import schema
from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view, world_beside
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Order, OrderName, effective
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import FenceState, GateStamp, moved, refusal
from brokerage.domain.risk.limits import spans_accounts
from brokerage.domain.risk.pacing import paced
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal, store
from brokerage.orders.rows import asked_values, head_values
from qmtl.core.errors import Conflict
from qmtl.core.limits import UNLIMITED, RiskLimits


def submit(
    conn: Connection,
    market: MarketContext,
    order: Order,
    gate: GateStamp,
    now_ns: int,
    seen: RiskLimits = UNLIMITED,
) -> tuple[StoredOrder, bool]:
    """Take one gated order; the answer and whether it was known already.

    `seen` is the fence's limits as they were before anything was locked. It decides only whose rows are locked; what
    binds is read under the fence's lock. Where that asks for more rows than are locked, the order is to come again.
    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH); none leaves a trace.
    """
    owner = order.owner
    world = None
    if spans_accounts(market.limits, seen):  # nobody else of the world decides meanwhile
        world = accounts_store.accounts_of(conn, owner.world_id, lock=True)
    account = accounts_store.account(conn, owner.account, owner.world_id, lock=True)
    known = store.find_order(conn, OrderName(owner, order.client_order_id), market.instruments)
    if known is not None:
        return _same(known, order), True
    view, fence = load_view(conn, market, account), locked_fence(conn, owner.world_id)
    if world is not None:
        view.world_beside = world_beside(conn, market, account, owner.world_id, world)
    view.world_limits = fence.limits
    book = view.book(owner)
    reduces = book.reduces(order, market.instruments.find(order.symbol))
    refused = refusal(fence, gate, reduces)
    if refused is None and world is None and spans_accounts(market.limits, fence.limits):
        raise moved(fence)
    if refused is None:
        account, refused = _paced(account, market.limits.orders_per_s_max, now_ns, reduces=reduces)
    worked = effective(order, gate.reduce_only or fence.state is FenceState.DRAIN)
    until = market.first_rest(worked)
    events = commands.submit(
        view, worked, account.time(now_ns, order.symbol), weight=gate.weight, refusal=refused, until=until
    )
    record = book.record(events[0].order_id)
    add_order(conn, account, order, record, gate)
    if record.denial is None and until is not EventKind.EMULATED:
        intents.write(conn, record, gate.epoch, now_ns)
    journal.record(conn, account, [(book, event) for event in events], new=record.id)
    return StoredOrder(order, gate.epoch, tuple(events), record), False


def _paced(account: Account, per_s: int, now_ns: int, *, reduces: bool) -> tuple[Account, Refusal | None]:
    """Count an order against the account's rate, or refuse it."""
    if not per_s:
        return account, None
    rate_ns = paced(account.rate_ns, per_s, now_ns, reduces=reduces)
    if rate_ns is None:
        message = f"account {account.account} sends orders faster than orders_per_s_max, {per_s} a second"
        return account, Refusal(Denial.RATE_ABOVE_LIMIT, message)
    return replace(account, rate_ns=rate_ns), None


def _same(known: StoredOrder, order: Order) -> StoredOrder:
    if known.order == order:
        return known
    raise Conflict(
        "E_ORDER_CONFLICT",
        f"client_order_id {order.client_order_id} is taken by another order",
        hint="use a new client_order_id for a new order",
        metadata={"client_order_id": order.client_order_id},
    )


def add_order(conn: Connection, account: Account, order: Order, record: OrderRecord, gate: GateStamp) -> None:
    """The order's head as it is born."""
    values: schema.Values = {
        **asked_values(order),
        **head_values(record),
        "order_id": record.id,
        "epoch": gate.epoch,
        "created_sequence": account.event_sequence + 1,
    }
    store.add_order(conn, values)
