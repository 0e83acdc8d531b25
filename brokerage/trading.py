"""What happens in one transaction: take an order, cancel one, show bars. Load, let the desk decide, store, publish.

State, events, fills, books, the venue's progress and the outbox rows commit together or not at all, so a kill at any
point loses nothing that was answered and a bar that is shown again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import store
from brokerage.domain.desk import Desk
from brokerage.domain.fence import refusal, unset
from brokerage.domain.ledger import Ledger, Position
from brokerage.domain.matching import Bar
from brokerage.domain.money import fit
from brokerage.domain.orders import Moment, Order, OrderEvent, OrderRecord, Scope
from brokerage.domain.risk import TradingState
from brokerage.events import publish
from brokerage.house import House
from brokerage.rows import Account, StoredOrder, effective, event_values, head_values
from brokerage.wire import Gate, OrderName, order_from_proto
from controlbus.database import signal
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.errors import Conflict

REPLAY_PAGE = 1_000


def submit(
    conn: Connection, house: House, order: Order, body: brokerpb.Order, gate: Gate, now_ns: int
) -> tuple[StoredOrder, bool]:
    """Take one gated order; the answer and whether it was known already.

    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH); none leaves a trace.
    """
    scope = order.scope
    account = store.account(conn, scope.account, scope.world_id, lock=True)
    known = store.find_order(conn, OrderName(scope, order.client_order_id), house.instruments)
    if known is not None:
        return _same(known, order), True
    desk = open_desk(conn, house, account, scope)
    stored = store.load_fence(conn, scope.world_id, lock=True)
    fence = stored[0] if stored else unset(scope.world_id)
    denial = refusal(fence, gate.epoch, gate.domain, desk.reduces(order))
    detail = f"fence is {fence.state.value} at epoch {fence.epoch}" if denial is not None else ""
    time = Moment(account.venue_ns if account.data_session_id else now_ns, now_ns)
    worked = effective(order, gate.reduce_only)
    events = desk.submit(worked, time, weight=gate.weight, refusal=denial, detail=detail)
    record = desk.records[events[0].order_id]
    _add_order(conn, account, record, body, gate, worked.reduce_only != order.reduce_only)
    keep(conn, account, [(desk, event) for event in events], new=record.id)
    return StoredOrder(body, gate.epoch, tuple(events), record), False


def caught_up(conn: Connection, order: Order) -> bool:
    """Whether a replay's venue has seen the bar an order was decided on. Always, where there is nothing to wait for."""
    account = store.find_account(conn, order.scope.account)
    if account is None or not account.data_session_id or order.decided_ns is None:
        return True
    return account.venue_ns >= order.decided_ns


def fence_known(conn: Connection, world_id: str, epoch: int) -> bool:
    """Whether the fence an order was gated under has arrived."""
    stored = store.load_fence(conn, world_id)
    return stored is not None and stored[0].epoch >= epoch


def cancel(conn: Connection, house: House, name: OrderName, now_ns: int) -> StoredOrder:
    """Cancel an order if it is open. Passes every fence. Raises NotFound (E_ORDER_UNKNOWN)."""
    account = store.find_account(conn, name.scope.account, lock=True)
    known = store.order(conn, name, house.instruments)
    if account is None or known.record.closed:
        return known
    desk = open_desk(conn, house, account, name.scope)
    event = desk.cancel(known.record.id, Moment(account.venue_ns if account.data_session_id else now_ns, now_ns))
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
        done = _step(conn, house, account, fresh, now_ns)
        fills += sum(event.fill is not None for _, event in done)
        moved = replace(account, venue_ns=progress)
        if fresh:
            moved = replace(moved, mark_price=fresh[-1].close, mark_ns=fresh[-1].end_ns)
        keep(conn, moved, done)
    signal(conn, store.BARS_SIGNAL)
    return fills


def _step(
    conn: Connection, house: House, account: Account, bars: Sequence[Bar], now_ns: int
) -> list[tuple[Desk, OrderEvent]]:
    desks = load_desks(conn, house, account) if bars else {}
    working = [desk for _, desk in sorted(desks.items(), key=lambda item: item[0].strategy_id) if desk.open_orders()]
    return [(desk, event) for bar in bars for desk in working for event in desk.on_bar(account.symbol, bar, now_ns)]


def open_desk(conn: Connection, house: House, account: Account, scope: Scope) -> Desk:
    """One strategy's desk, which may commit what the account has and its other strategies leave free."""
    desks = load_desks(conn, house, account)
    desk = desks.pop(scope, None) or _empty_desk(house, account)
    desk.free_elsewhere = store.load_cash(conn, account.account)
    for other in desks.values():
        for currency in desk.free_elsewhere:
            desk.free_elsewhere[currency] += other.free(currency)
    return desk


def load_desks(conn: Connection, house: House, account: Account) -> dict[Scope, Desk]:
    """A desk per strategy with positions or open orders. Their cash starts at 0: it ends as what moved."""
    desks: dict[Scope, Desk] = {}
    for scope, symbol, position in store.load_positions(conn, account.account):
        instrument = house.instruments.find(symbol)
        if instrument is not None:
            _desk_of(desks, house, account, scope).ledger.restore(instrument, position)
    for record in store.open_records(conn, house.instruments, account.account):
        _desk_of(desks, house, account, record.order.scope).restore([record], {})
    return desks


def _desk_of(desks: dict[Scope, Desk], house: House, account: Account, scope: Scope) -> Desk:
    if scope not in desks:
        desks[scope] = _empty_desk(house, account)
    return desks[scope]


def _empty_desk(house: House, account: Account) -> Desk:
    desk = Desk(house.profile_of(account), house.instruments, Ledger(), trading=account.trading_state)
    if account.mark is not None:
        desk.restore((), {account.symbol: account.mark})
    return desk


def keep(conn: Connection, account: Account, done: Sequence[tuple[Desk, OrderEvent]], new: str = "") -> Account:
    """Store events in order with the books they changed, and queue them for ORDERS and FILLS.

    `new` is an order whose head was stored with its events just now.
    """
    rows: list[store.Values] = []
    filled: list[store.Values] = []
    for desk, event in done:
        record = desk.records[event.order_id]
        sequence = account.event_sequence + len(rows) + 1
        rows.append(event_values(account.account, sequence, event))
        if event.fill is not None:
            filled.append(_fill_values(record.order, event, account.fill_sequence + len(filled) + 1))
        publish(conn, record.order, record.instrument, event, sequence, account.fill_sequence + len(filled))
    store.add_events(conn, rows)
    store.add_fills(conn, filled)
    for record in {event.order_id: desk.records[event.order_id] for desk, event in done}.values():
        if record.id != new:
            store.save_order(conn, record)
    if filled:
        _save_books(conn, account, done)
    flagged = any(event.flag is not None for _, event in done)
    changed = replace(
        account,
        event_sequence=account.event_sequence + len(rows),
        fill_sequence=account.fill_sequence + len(filled),
        trading_state=TradingState.REDUCING if flagged else account.trading_state,
    )
    store.save_account(conn, changed)
    signal(conn, store.ORDERS_SIGNAL)
    return changed


Books = tuple[dict[tuple[Scope, str], Position], dict[str, int]]


def rebuilt(conn: Connection, house: House, account: Account) -> Books:
    """Positions and cash of an account replayed from its fills: what the stored books must equal."""
    ledgers: dict[Scope, Ledger] = {}
    reached = 0
    while page := store.fills_after(conn, account.account, "", reached, REPLAY_PAGE, house.instruments):
        reached = page[-1][2]
        for stored, event, _ in page:
            record = stored.record
            if event.fill is not None and record.instrument is not None:
                ledger = ledgers.setdefault(record.order.scope, Ledger())
                ledger.book(record.instrument, record.order.side, event.fill)
    money = {account.base_currency: account.starting_cash}
    for ledger in ledgers.values():
        for currency, amount in ledger.cash.items():
            money[currency] = money.get(currency, 0) + amount
    held = {(scope, symbol): at for scope, ledger in ledgers.items() for symbol, at in ledger.positions.items()}
    return held, money


def verify_books(conn: Connection, house: House) -> int:
    """Replay every account and compare with its stored books; how many accounts. Raises Conflict (E_BOOKS_DIFFER)."""
    found = store.accounts(conn)
    for account in found:
        held = {(scope, symbol): at for scope, symbol, at in store.load_positions(conn, account.account)}
        heads = store.open_records(conn, house.instruments, account.account)
        folds = [stored.record for stored in store.open_orders(conn, house.instruments, account.account)]
        if (held, store.load_cash(conn, account.account)) != rebuilt(conn, house, account) or heads != folds:
            raise Conflict(
                "E_BOOKS_DIFFER",
                f"the stored books of account {account.account} are not the replay of its events",
                hint="restore the store from a backup; nothing was changed",
            )
    return len(found)


def _same(known: StoredOrder, order: Order) -> StoredOrder:
    if order_from_proto(known.body) == order:
        return known
    raise Conflict(
        "E_ORDER_CONFLICT",
        f"client_order_id {order.client_order_id} is taken by another order",
        hint="use a new client_order_id for a new order",
        metadata={"client_order_id": order.client_order_id},
    )


def _add_order(
    conn: Connection, account: Account, record: OrderRecord, body: brokerpb.Order, gate: Gate, narrowed: bool
) -> None:
    """The order's head, and its send-intent. The paper venue's book is in this database: it answers in the commit."""
    order, scope = record.order, record.order.scope
    named: store.Values = {
        "order_id": record.id,
        "account": scope.account,
        "world_id": scope.world_id,
        "strategy_id": scope.strategy_id,
        "client_order_id": order.client_order_id,
        "epoch": gate.epoch,
    }
    head: store.Values = {
        "symbol": order.symbol,
        "body": body.SerializeToString(deterministic=True),
        "gate_reduce_only": narrowed,
        "created_sequence": account.event_sequence + 1,
    }
    store.add_order(conn, {**named, **head, **head_values(record)})
    if record.denial is None:
        at_ns = record.updated_ns
        intent: store.Values = {"venue_order_id": record.id, "sent_ns": at_ns, "answered_ns": at_ns}
        store.add_intent(conn, {**named, **intent})


def _fill_values(order: Order, event: OrderEvent, sequence: int) -> store.Values:
    return {
        "account": order.scope.account,
        "sequence": sequence,
        "venue": order.venue,
        "trade_id": event.fill.trade_id if event.fill else "",
        "world_id": order.scope.world_id,
        "strategy_id": order.scope.strategy_id,
        "order_id": event.order_id,
        "seq": event.seq,
    }


def _save_books(conn: Connection, account: Account, done: Sequence[tuple[Desk, OrderEvent]]) -> None:
    money = store.load_cash(conn, account.account)
    touched: dict[tuple[Scope, str], Desk] = {}
    for desk, event in done:
        if event.fill is not None:
            order = desk.records[event.order_id].order
            touched[order.scope, order.symbol] = desk
    for (scope, symbol), desk in touched.items():
        store.save_position(conn, scope, symbol, desk.ledger.position(symbol))
    for desk in {id(desk): desk for desk in touched.values()}.values():
        for currency, moved in desk.ledger.cash.items():
            money[currency] = fit(money.get(currency, 0) + moved, f"cash in {currency}")
    for currency, amount in money.items():
        store.save_cash(conn, account.account, currency, amount)
