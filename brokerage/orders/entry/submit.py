"""Takes one gated order in one transaction."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage import schema
from brokerage.books.load import ask_view
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.order import Order, OrderName, effective
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import GateStamp
from brokerage.domain.risk.limits import spans_accounts
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.store import ask_locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal, store
from brokerage.orders.entry.gated import Act, admit, ask_held, bind, placed
from brokerage.orders.entry.readiness import OutOfStep, require_step
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
    *,
    despite_fence: bool = False,
    in_step: bool = False,
) -> tuple[StoredOrder, bool]:
    """Take one gated order; the answer and whether it was known already.

    On PostgreSQL it takes two round trips: what it is decided on is asked at once, and what it stores leaves with the
    commit. `seen`: see `hold`. `despite_fence`: an operator has a reduce-only order pass whatever the fence says.
    `in_step`: an order that came before its bar or its fence, or whose fence bounds other accounts than `seen`, is not
    judged but raises OutOfStep.

    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH), InvalidRequest
    (E_VENUE_UNKNOWN); none leaves a trace.
    """
    owner = order.owner
    holding = ask_held(conn, market, owner, seen)
    named = store.ask_order(conn, OrderName(owner, order.client_order_id))
    view_of, binding = ask_view(conn, owner.account), ask_locked_fence(conn, owner.world_id)
    held = holding()
    market, order = market.of(held.account), placed(order, held.account)
    known = named(market.instruments)
    if known is not None:
        return same_order(known, order), True
    view, fence = view_of(market, held.account), binding()
    if in_step:
        require_step(held.account, fence, order, gate.epoch)
        if spans_accounts(market.limits, fence.limits) != (held.world is not None):
            raise OutOfStep
    bind(conn, market, held, view, fence)
    book = view.book(owner)
    act = Act(owner, () if book.reduces(order, market.instruments.find(order.symbol)) else (order.side,))
    account, refused = admit(market, held, fence, gate, now_ns, act=act, asks=not despite_fence)
    refused = refused or market.unsupported(order)
    worked = effective(order, gate.reduce_only or not fence.may_add(owner.strategy_id, order.side))
    until = market.first_rest(worked)
    events = commands.submit(
        view, worked, account.time(now_ns, order.symbol), weight=gate.weight, refusal=refused, until=until
    )
    record = book.record(events[0].order_id)
    add_order(conn, account, order, record, gate)
    if record.denial is None and until is not EventKind.EMULATED:
        intents.write(conn, record, intents.NO_FENCE if despite_fence else gate.epoch, now_ns)
    journal.record(conn, account, [(book, event) for event in events], new=(record.id,))
    return StoredOrder(order, gate.epoch, tuple(events), record), False


def same_order(known: StoredOrder, order: Order) -> StoredOrder:
    """An order that was taken before. Raises Conflict (E_ORDER_CONFLICT) where it was another."""
    if known.order == order:
        return known
    raise Conflict(
        "E_ORDER_CONFLICT",
        f"client_order_id {order.client_order_id} is taken by another order",
        hint="use a new client_order_id for a new order",
        metadata={"client_order_id": order.client_order_id},
    )


def add_order(
    conn: Connection, account: Account, order: Order, record: OrderRecord, gate: GateStamp, after: int = 0
) -> None:
    """The order's head as it is born, `after` so many events of the same transaction."""
    values: schema.Values = {
        **asked_values(order),
        **head_values(record),
        "order_id": record.id,
        "epoch": gate.epoch,
        "created_sequence": account.event_sequence + after + 1,
    }
    store.add_order(conn, values)
