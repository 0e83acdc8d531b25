"""What happens in one transaction: take an order, cancel one, show bars. Load, let the desk decide, store, publish.

State, events, fills, books, the venue's progress and the outbox rows commit together or not at all, so a kill at any
point loses nothing that was answered and a bar that is shown again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import intents, store
from brokerage.books import keep, load_desks, now_of, open_desk, watch_drawdown
from brokerage.domain.desk import Desk
from brokerage.domain.fence import Fence, FenceState, moved, refusal, unset
from brokerage.domain.matching import Bar
from brokerage.domain.orders import Denial, Moment, Order, OrderEvent, OrderRecord
from brokerage.domain.profile import spans_accounts
from brokerage.domain.risk import paced
from brokerage.domain.states import EventKind
from brokerage.house import House
from brokerage.rows import Account, StoredOrder, effective, head_values
from brokerage.sending import release_touched
from brokerage.wire import Gate, OrderName, order_from_proto
from controlbus.database import signal
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.errors import Conflict
from qmtl.core.limits import UNLIMITED, RiskLimits


def submit(
    conn: Connection,
    house: House,
    order: Order,
    body: brokerpb.Order,
    gate: Gate,
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
        world = store.accounts_of(conn, scope.world_id, lock=True)  # nobody else of the world decides meanwhile
    account = store.account(conn, scope.account, scope.world_id, lock=True)
    known = store.find_order(conn, OrderName(scope, order.client_order_id), house.instruments)
    if known is not None:
        return _same(known, order), True
    desk = open_desk(conn, house, account, scope, world=world)
    stored = store.load_fence(conn, scope.world_id, lock=True)
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


def in_step(conn: Connection, order: Order, epoch: int) -> Fence | None:
    """The fence as it stands, if it has come as far as the order's gate and the order's bar is here too."""
    return known_fence(conn, order.scope.world_id, epoch) if caught_up(conn, order) else None


def caught_up(conn: Connection, order: Order) -> bool:
    """Whether a replay's venue has seen the bar an order was decided on. Always, where there is nothing to wait for."""
    account = store.find_account(conn, order.scope.account)
    if account is None or not account.data_session_id or order.decided_ns is None:
        return True
    return account.venue_ns >= order.decided_ns


def known_fence(conn: Connection, world_id: str, epoch: int) -> Fence | None:
    """The fence of a world, unless the one an order was gated under has yet to arrive."""
    stored = store.load_fence(conn, world_id)
    return stored[0] if stored is not None and stored[0].epoch >= epoch else None


def cancel(conn: Connection, house: House, name: OrderName, now_ns: int) -> StoredOrder:
    """Cancel an order if it is open. Passes every fence. Raises NotFound (E_ORDER_UNKNOWN)."""
    account = store.find_account(conn, name.scope.account, lock=True)
    known = store.order(conn, name, house.instruments)
    if account is None or known.record.closed:
        return known
    desk = open_desk(conn, house, account, name.scope, known.record.id)
    event = desk.cancel(known.record.id, now_of(account, now_ns))
    if event is None:
        return known
    keep(conn, account, [(desk, event)])
    return StoredOrder(known.body, known.epoch, (*known.events, event), desk.records[known.record.id])


def cancel_all(conn: Connection, house: House, name: str, strategy_id: str, now_ns: int) -> list[StoredOrder]:
    """Cancel every open order of an account, or of one strategy in it, in one transaction."""
    store.account(conn, name, lock=True)
    found = [stored.record.order for stored in store.open_orders(conn, house.instruments, name)]
    wanted = [order for order in found if strategy_id in ("", order.scope.strategy_id)]
    return [cancel(conn, house, OrderName(order.scope, order.client_order_id), now_ns) for order in wanted]


def show_bars(
    conn: Connection, house: House, feed: tuple[str, str], bars: Sequence[Bar], watermark_ns: int, now_ns: int
) -> int:
    """Show the next bars of a feed to every account on it; how many fills that made.

    Progress is stored with what the bars did: bars that close at or before it are skipped, whoever sends them again.
    """
    fills = 0
    for account in store.accounts(conn, *feed, lock=True):
        fresh = [bar for bar in bars if bar.end_ns > account.venue_ns]
        progress = max(account.venue_ns, watermark_ns, *(bar.end_ns for bar in fresh)) if fresh else watermark_ns
        if progress <= account.venue_ns:
            continue
        done = _step(conn, house, account, fresh, Moment(progress, now_ns))
        fills += sum(event.fill is not None for _, event in done)
        moved = replace(account, venue_ns=progress)
        if fresh:
            moved = replace(moved, mark_price=fresh[-1].close, mark_ns=fresh[-1].end_ns)
        moved = keep(conn, moved, done)
        if fresh and house.profile.limits.drawdown_max:
            watch_drawdown(conn, house, moved, now_ns)
    signal(conn, store.BARS_SIGNAL)
    return fills


def _step(
    conn: Connection, house: House, account: Account, bars: Sequence[Bar], progress: Moment
) -> list[tuple[Desk, OrderEvent]]:
    """Bars in order: what has arrived is heard, what rests may fill, what is watched may be let go."""
    desks = load_desks(conn, house, account) if bars else {}
    working = [desk for _, desk in sorted(desks.items(), key=lambda item: item[0].strategy_id) if desk.open_orders()]
    now_ns = progress.received_ns
    if any(not record.acknowledged for desk in working for record in desk.open_orders()):
        signal(conn, intents.WIRE_SIGNAL)
    done: list[tuple[Desk, OrderEvent]] = []
    for bar in bars:
        for desk in working:
            made = desk.answer(bar.start_ns, now_ns) + desk.on_bar(account.symbol, bar, now_ns)
            made += release_touched(conn, house, account, desk, bar, Moment(bar.end_ns, now_ns))
            done += [(desk, event) for event in made]
    return done + [(desk, event) for desk in working for event in desk.answer(progress.at_ns, now_ns)]


def _same(known: StoredOrder, order: Order) -> StoredOrder:
    if order_from_proto(known.body) == order:
        return known
    raise Conflict(
        "E_ORDER_CONFLICT",
        f"client_order_id {order.client_order_id} is taken by another order",
        hint="use a new client_order_id for a new order",
        metadata={"client_order_id": order.client_order_id},
    )


def _add_order(conn: Connection, account: Account, record: OrderRecord, body: brokerpb.Order, gate: Gate) -> None:
    """The order's head as it is born."""
    order, scope = record.order, record.order.scope
    values: store.Values = {
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
