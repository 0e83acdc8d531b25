"""An account's books in the store: desks loaded from rows, what they did written back, and the proof by replay.

Events, heads, fills, positions, cash and the outbox rows are written together, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import intents, store
from brokerage.domain.desk import Desk
from brokerage.domain.ledger import Ledger, Position
from brokerage.domain.money import fit
from brokerage.domain.orders import Moment, Order, OrderEvent, Scope
from brokerage.domain.risk import TradingState
from brokerage.events import publish
from brokerage.house import House
from brokerage.rows import Account, event_values
from controlbus.database import signal
from qmtl.core.errors import Conflict

REPLAY_PAGE = 1_000


def now_of(account: Account, now_ns: int) -> Moment:
    """This moment in the account's time: where its replay stands, or the clock on a live feed."""
    return Moment(account.venue_ns if account.data_session_id else now_ns, now_ns)


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
    unheard = [desk for desk in desks.values() if any(record.on_the_wire for record in desk.open_orders())]
    arrived = intents.arrivals(conn, account.account) if unheard else {}
    for desk in unheard:
        desk.arrivals = {order_id: arrival for order_id, arrival in arrived.items() if order_id in desk.records}
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
    heard = {event.order_id for desk, event in done if event.order_id in desk.heard}
    if heard:
        intents.answered(conn, heard, done[-1][1].received_ns)
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
