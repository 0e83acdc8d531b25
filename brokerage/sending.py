"""The way of an order to the venue, one transaction per step, so that a kill between any two is a case of its own.

`to_wire` asks the fence once more and marks the send; `arrive` is the venue's own commit; `answer` hears of it. What
was marked and is not heard becomes unknown (`lose`) and is asked about by venue id (`resolve`). Nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from brokerage import intents, store
from brokerage.books import keep, load_desks, now_of, open_desk
from brokerage.domain.desk import Desk
from brokerage.domain.fence import Fence, FenceState, lets_go, refusal, unset
from brokerage.domain.link import Arrival
from brokerage.domain.matching import Bar, reached, touched
from brokerage.domain.orders import Denial, Moment, OrderEvent, OrderRecord
from brokerage.domain.risk import TradingState, increases
from brokerage.domain.states import OrderState
from brokerage.house import House
from brokerage.rows import Account
from brokerage.wire import SECOND_NS, OrderName
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain

HELD = "HELD: its stop was reached while the fence or the account lets nothing like it pass"


def to_wire(conn: Connection, house: House, name: OrderName, order_id: str, now_ns: int) -> bool:
    """Check a written intent against the fence of this moment and put it on the wire; whether it went.

    A gateway's order that may no longer leave is denied; one that brokerage started itself is held.
    """
    account = store.find_account(conn, name.scope.account, lock=True)
    row = intents.unanswered(conn, order_id)
    if account is None or row is None or row.wire_ns is not None:
        return False
    desk, fence = open_desk(conn, house, account, name.scope, order_id), _fence(conn, account.world_id)
    record, time = desk.records[order_id], now_of(account, now_ns)
    if record.triggered:
        goes = _may_go(desk, record, fence) and (row.epoch == fence.epoch or _still_reached(desk, record))
        refused = [] if goes else desk.note(order_id, time, HELD)
    else:
        refused = _denied(desk, record, fence, row.epoch, time)
        goes = not refused
    if goes:
        _narrow(desk, record, fence)
        intents.put_on_the_wire(conn, order_id, fence.epoch, now_ns)
    made = [desk.send(order_id, time)] if goes else refused
    _store(conn, account, desk, made)
    return goes


def arrive(conn: Connection, house: House, order_id: str, now_ns: int) -> None:
    """The venue takes an order in, as far away in bars as the link says. What was decided without it it refuses."""
    row = intents.unanswered(conn, order_id)
    if row is None or row.wire_ns is None:
        return
    account = store.account(conn, row.account)
    at_ns = intents.released_ns(conn, order_id)
    if house.link.latency_ms:
        at_ns = max(at_ns, now_of(account, now_ns).at_ns)
    at_ns += house.link.latency_bars * account.interval_s * SECOND_NS
    lost = house.link.loses_answer(order_id)
    intents.add_arrival(conn, order_id, account.account, Arrival(at_ns, lost))


def answer(conn: Connection, house: House, name: OrderName, order_id: str, now_ns: int) -> None:
    """Hear the venue's answer to an order that has arrived."""
    account = store.account(conn, name.scope.account, lock=True)
    desk = open_desk(conn, house, account, name.scope, order_id)
    _store(conn, account, desk, desk.answer(now_of(account, now_ns).at_ns, now_ns))


def lose(conn: Connection, house: House, name: OrderName, order_id: str, now_ns: int) -> None:
    """No answer came in time: flag the outcome as unknown."""
    account = store.account(conn, name.scope.account, lock=True)
    desk = open_desk(conn, house, account, name.scope, order_id)
    if order_id in desk.records:
        _store(conn, account, desk, desk.lose(order_id, now_of(account, now_ns)))


def resolve(conn: Connection, house: House, name: OrderName, order_id: str, now_ns: int) -> bool:
    """Ask the venue by venue id about an unknown outcome; whether it is known now. Never sends."""
    account = store.account(conn, name.scope.account, lock=True)
    desk = open_desk(conn, house, account, name.scope, order_id)
    if order_id not in desk.records:
        return False
    made = desk.resolve(order_id, now_of(account, now_ns))
    _store(conn, account, desk, made)
    return bool(made)


def release_reached(conn: Connection, house: House, account_name: str, now_ns: int) -> int:
    """Look anew at an account's emulated stops after its fence moved: those the last price is still beyond may go."""
    account = store.account(conn, account_name, lock=True)
    time = now_of(account, now_ns)
    done: list[tuple[Desk, OrderEvent]] = []
    for desk in load_desks(conn, house, account).values():
        for record in _emulated(desk):
            if _still_reached(desk, record):
                done += [(desk, event) for event in _let_go(conn, house, desk, record, time)]
    if done:
        keep(conn, account, done)
    return len(done)


def release_touched(
    conn: Connection, house: House, account: Account, desk: Desk, bar: Bar, time: Moment
) -> list[OrderEvent]:
    """What a bar does to the stops that are watched here: reached ones are let go, or held where they are."""
    return [
        event
        for record in _emulated(desk)
        if record.order.symbol == account.symbol
        and bar.start_ns >= record.accepted_ns
        and touched(record.order.side, record.stop or 0, bar)
        for event in _let_go(conn, house, desk, record, time)
    ]


def _let_go(conn: Connection, house: House, desk: Desk, record: OrderRecord, time: Moment) -> Sequence[OrderEvent]:
    """Release one stop if the fence of this moment allows it: the intent is written in the same transaction."""
    fence = _fence(conn, record.order.scope.world_id)
    if not _may_go(desk, record, fence):
        return desk.note(record.id, time, HELD)
    _narrow(desk, record, fence)
    made = desk.release(record.id, time, direct=house.link.direct)
    intents.write(conn, desk.records[record.id], fence.epoch, time.received_ns)
    return made


def _may_go(desk: Desk, record: OrderRecord, fence: Fence) -> bool:
    held = desk.ledger.position(record.order.symbol).quantity
    reducing = not increases(record.order.side, record.remaining, held)
    allowed = desk.trading is TradingState.ACTIVE or (desk.trading is TradingState.REDUCING and reducing)
    return allowed and lets_go(fence, reducing)


def _narrow(desk: Desk, record: OrderRecord, fence: Fence) -> None:
    """Where only reducing acts may go, two that each reduce alone must not turn the position round together."""
    if fence.state is FenceState.DRAIN or desk.trading is TradingState.REDUCING:
        desk.narrow(record.id)


def _still_reached(desk: Desk, record: OrderRecord) -> bool:
    mark = desk.marks.get(record.order.symbol)
    return mark is not None and record.stop is not None and reached(record.order.side, record.stop, mark.price)


def _denied(desk: Desk, record: OrderRecord, fence: Fence, epoch: int, time: Moment) -> list[OrderEvent]:
    """The refusal of a gateway's order between its intent and the wire, if there is one."""
    detail = f"before the wire: fence is {fence.state.value} at epoch {fence.epoch}, the order's is {epoch}"
    try:
        denial = refusal(fence, epoch, ExecutionDomain.DRYRUN, desk.reduces(record.order))
    except NotReady:
        denial = Denial.FENCED
    if denial is None and desk.trading is TradingState.HALTED:
        denial, detail = Denial.TRADING_HALTED, "before the wire: the account is HALTED"
    return [] if denial is None else [desk.deny(record.id, time, denial, detail)]


def _store(conn: Connection, account: Account, desk: Desk, made: Sequence[OrderEvent]) -> None:
    if made:
        keep(conn, account, [(desk, event) for event in made])


def _emulated(desk: Desk) -> list[OrderRecord]:
    return [record for record in desk.open_orders() if record.state is OrderState.EMULATED]


def _fence(conn: Connection, world_id: str) -> Fence:
    """The fence, which cannot move until this transaction's intents are committed."""
    stored = store.load_fence(conn, world_id, lock=True)
    return stored[0] if stored else unset(world_id)
