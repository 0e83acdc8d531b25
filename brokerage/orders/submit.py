"""Takes one gated order in one transaction."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import schema
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account, now_of
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, OrderName, effective
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import EventKind
from brokerage.domain.risk.fence import FenceState, GateStamp, moved, refusal, unset
from brokerage.domain.risk.limits import spans_accounts
from brokerage.domain.risk.pacing import paced
from brokerage.fences import intents
from brokerage.fences import store as fences_store
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.journal import keep, open_desk
from brokerage.orders.rows import StoredOrder, head_values
from brokerage.orders.wire import order_from_proto
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.errors import Conflict
from qmtl.core.limits import UNLIMITED, RiskLimits


def submit(
    conn: Connection,
    house: MarketContext,
    order: Order,
    body: brokerpb.Order,
    gate: GateStamp,
    now_ns: int,
    seen: RiskLimits = UNLIMITED,
) -> tuple[StoredOrder, bool]:
    """Take one gated order; the answer and whether it was known already.

    `seen` is the fence's limits as they were before anything was locked. It decides only whose rows are locked; what
    binds is read under the fence's lock. Where that asks for more rows than are locked, the order is to come again.
    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH); none leaves a trace.
    """
    scope, limits = order.scope, house.profile.limits
    world = None
    if spans_accounts(limits, seen):
        world = accounts_store.accounts_of(
            conn, scope.world_id, lock=True
        )  # nobody else of the world decides meanwhile
    account = accounts_store.account(conn, scope.account, scope.world_id, lock=True)
    known = store.find_order(conn, OrderName(scope, order.client_order_id), house.instruments)
    if known is not None:
        return _same(known, order), True
    desk = open_desk(conn, house, account, scope, world=world)
    stored = fences_store.load_fence(conn, scope.world_id, lock=True)
    fence = stored[0] if stored else unset(scope.world_id)
    desk.limits = fence.limits
    denial = refusal(fence, gate.epoch, gate.domain, desk.reduces(order))
    if denial is None and world is None and spans_accounts(limits, fence.limits):
        raise moved(fence)
    detail = f"fence is {fence.state.value} at epoch {fence.epoch}" if denial is not None else ""
    if denial is None:
        account, denial = _paced(account, limits.orders_per_s_max, now_ns)
    worked = effective(order, gate.reduce_only or fence.state is FenceState.DRAIN)
    until = house.first_rest(worked)
    events = desk.submit(
        worked, now_of(account, now_ns), weight=gate.weight, refusal=denial, detail=detail, until=until
    )
    record = desk.records[events[0].order_id]
    _add_order(conn, account, record, body, gate)
    if record.denial is None and until is not EventKind.EMULATED:
        intents.write(conn, record, gate.epoch, now_ns)
    keep(conn, account, [(desk, event) for event in events], new=record.id)
    return StoredOrder(body, gate.epoch, tuple(events), record), False


def _paced(account: Account, per_s: int, now_ns: int) -> tuple[Account, Denial | None]:
    """Count an order against the account's rate, or refuse it."""
    if not per_s:
        return account, None
    rate_ns = paced(account.rate_ns, per_s, now_ns)
    return (account, Denial.RATE_ABOVE_LIMIT) if rate_ns is None else (replace(account, rate_ns=rate_ns), None)


def _same(known: StoredOrder, order: Order) -> StoredOrder:
    if order_from_proto(known.body) == order:
        return known
    raise Conflict(
        "E_ORDER_CONFLICT",
        f"client_order_id {order.client_order_id} is taken by another order",
        hint="use a new client_order_id for a new order",
        metadata={"client_order_id": order.client_order_id},
    )


def _add_order(conn: Connection, account: Account, record: OrderRecord, body: brokerpb.Order, gate: GateStamp) -> None:
    """The order's head as it is born."""
    order, scope = record.order, record.order.scope
    values: schema.Values = {
        "order_id": record.id,
        "account": scope.account,
        "world_id": scope.world_id,
        "strategy_id": scope.strategy_id,
        "client_order_id": order.client_order_id,
        "epoch": gate.epoch,
        "symbol": order.symbol,
        "body": body.SerializeToString(deterministic=True),
        "created_sequence": account.event_sequence + 1,
    }
    store.add_order(conn, {**values, **head_values(record)})
