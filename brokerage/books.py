"""An account's books in the store: desks loaded from rows, what they did written back, and the proof by replay.

Events, heads, fills, positions, cash and the outbox rows are written together, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import intents, store, sums
from brokerage.domain.desk import Desk
from brokerage.domain.exposure import IDLE, NONE, Around, Exposure
from brokerage.domain.ledger import Ledger, Position
from brokerage.domain.money import fit
from brokerage.domain.orders import Moment, Order, OrderEvent, Scope
from brokerage.domain.risk import TradingState, drawn_down
from brokerage.events import publish
from brokerage.house import House
from brokerage.rows import Account, event_values
from controlbus.database import signal
from qmtl.core.errors import Conflict

REPLAY_PAGE = 1_000

Held = tuple[Scope, str, Position]


def now_of(account: Account, now_ns: int) -> Moment:
    """This moment in the account's time: where its replay stands, or the clock on a live feed."""
    return Moment(account.venue_ns if account.data_session_id else now_ns, now_ns)


def open_desk(
    conn: Connection,
    house: House,
    account: Account,
    scope: Scope,
    *order_ids: str,
    world: Sequence[Account] | None = None,
) -> Desk:
    """One strategy's desk with the orders named, which may commit what the account has and the others leave free.

    The rest of the account is there as sums only, so the cost does not grow with the number of open orders. Without the
    accounts of its `world`, whose rows the caller has locked, the rest of the world is not known.
    """
    desks = _summed_desks(conn, house, account)
    desk = desks.pop(scope, None) or _empty_desk(house, account)
    desk.recall(store.records(conn, house.instruments, order_ids))
    _hear(conn, account, [desk])
    desk.free_elsewhere = store.load_cash(conn, account.account)
    desk.around = around(house, account, desks, desk.free_elsewhere.get(account.base_currency, 0))
    if world is not None:
        desk.around = replace(desk.around, world=_beside(conn, house, account, world))
    for other in desks.values():
        for currency in desk.free_elsewhere:
            desk.free_elsewhere[currency] += other.free(currency)
    return desk


def load_desks(conn: Connection, house: House, account: Account) -> dict[Scope, Desk]:
    """A desk per strategy with positions or open orders. Their cash starts at 0: it ends as what moved."""
    desks = _summed_desks(conn, house, account)
    for record in store.open_records(conn, house.instruments, account.account):
        _desk_of(desks, house, account, record.order.scope).recall([record])
    _hear(conn, account, desks.values())
    return desks


def _summed_desks(conn: Connection, house: House, account: Account) -> dict[Scope, Desk]:
    """Positions and the sums of open orders, without the orders."""
    held = store.load_positions(conn, account.account)
    return _desks(house, {account.account: account}, held, sums.load(conn, house, account))


def _desks(house: House, owners: Mapping[str, Account], held: Iterable[Held], working: sums.Sums) -> dict[Scope, Desk]:
    """A desk per strategy that holds or works something, of these accounts."""
    desks: dict[Scope, Desk] = {}
    for scope, symbol, position in held:
        instrument = house.instruments.find(symbol)
        if instrument is not None and scope.account in owners:
            _desk_of(desks, house, owners[scope.account], scope).ledger.restore(instrument, position)
    for scope, sides in working.items():
        if scope.account in owners:
            _desk_of(desks, house, owners[scope.account], scope).sums = sides
    for desk in desks.values():
        desk.stored_sums = dict(desk.sums)
    return desks


def _hear(conn: Connection, account: Account, desks: Iterable[Desk]) -> None:
    """Tell desks with orders on the wire which of them the venue has."""
    unheard = [desk for desk in desks if any(record.on_the_wire for record in desk.open_orders())]
    arrived = intents.arrivals(conn, account.account) if unheard else {}
    for desk in unheard:
        desk.arrivals = {order_id: arrival for order_id, arrival in arrived.items() if order_id in desk.records}


def around(house: House, account: Account, others: Mapping[Scope, Desk], cash: int) -> Around:
    """What stands beside one strategy's desk in its account. The rest of the world is not known here."""
    worth = sum(desk.worth(account.base_currency) for desk in others.values())
    return Around(
        equity=cash + worth,
        account=sum((desk.exposure() for desk in others.values()), NONE),
        world=None,
        circuit_open=bool(house.profile.limits.drawdown_max) and account.circuit_ns is not None,
    )


def watch_drawdown(conn: Connection, house: House, account: Account, now_ns: int) -> None:
    """Follow an account's highest equity; too far below it the circuit opens, and stays so until an operator acts."""
    desks = _summed_desks(conn, house, account)
    cash = store.load_cash(conn, account.account).get(account.base_currency, 0)
    equity = cash + sum(desk.worth(account.base_currency) for desk in desks.values())
    peak = max(account.peak_equity or equity, equity)
    fallen = drawn_down(equity, peak, house.profile.limits.drawdown_max)
    opens = fallen and account.circuit_ns is None
    if opens or peak != account.peak_equity:
        circuit_ns = now_ns if opens else account.circuit_ns
        store.save_account(conn, replace(account, peak_equity=peak, circuit_ns=circuit_ns))
    if opens:
        detail = f"equity {equity} is too far below its highest, {peak}"
        store.audit(conn, now_ns, ("brokerage", ""), "drawdown_circuit", account.account, detail)


def _beside(conn: Connection, house: House, account: Account, world: Sequence[Account]) -> Exposure | None:
    """Exposure of a world's other accounts; None if one of them cannot be valued in this account's currency."""
    owners = {other.account: other for other in world if other.account != account.account}
    held = store.positions_of_world(conn, account.world_id)
    working = sums.load_world(conn, house, account.world_id, owners.values())
    total = NONE
    for scope, desk in _desks(house, owners, held, working).items():
        if desk.sums or any(position.quantity for position in desk.ledger.positions.values()):
            other = owners[scope.account]
            if other.mark is None or other.base_currency != account.base_currency:
                return None
            total += desk.exposure()
    return total


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
    _save_sums(conn, done)
    flagged = any(event.flag is not None for _, event in done)
    reached = account.event_sequence + len(rows)
    changed = replace(
        account,
        event_sequence=reached,
        valued_sequence=reached if done else account.valued_sequence,
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
        books = (held, store.load_cash(conn, account.account))
        if books != rebuilt(conn, house, account) or heads != folds or not _sums_hold(conn, house, account):
            raise Conflict(
                "E_BOOKS_DIFFER",
                f"the stored books of account {account.account} are not the replay of its events",
                hint="restore the store from a backup; nothing was changed",
            )
    return len(found)


def _sums_hold(conn: Connection, house: House, account: Account) -> bool:
    """Whether the sums, where they stand at the last event, are those of the open orders."""
    if not sums.stand(account):
        return True  # somebody wrote without them: made anew before they are used
    found = sums.counted(conn, house, account.account)
    wanted = {scope: {key: of for key, of in sides.items() if of != IDLE} for scope, sides in found.items()}
    return sums.load(conn, house, account) == {scope: sides for scope, sides in wanted.items() if sides}


def _save_sums(conn: Connection, done: Sequence[tuple[Desk, OrderEvent]]) -> None:
    """Store what changed of the sums. A desk was loaded with them, so what it has now is what stands."""
    for desk, event in {id(desk): (desk, event) for desk, event in done}.values():
        scope = desk.records[event.order_id].order.scope
        for (symbol, side), of in desk.sums.items():
            if of != desk.stored_sums.get((symbol, side), IDLE):
                sums.save(conn, scope, symbol, side, of)
        desk.stored_sums = dict(desk.sums)


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
