"""Checks a written intent against the fence of this moment and puts it on the wire."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import TradingState, now_of
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.risk.fence import Fence, refusal
from brokerage.domain.trading.commands import Desk
from brokerage.fences import intents
from brokerage.market.context import MarketContext
from brokerage.orders.journal import keep_desk, open_desk
from brokerage.venues.dispatch.emulation import HELD, still_reached
from brokerage.venues.dispatch.permission import locked_fence, may_go, narrow
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain


def to_wire(conn: Connection, house: MarketContext, name: OrderName, order_id: str, now_ns: int) -> bool:
    """Check a written intent against the fence of this moment and put it on the wire; whether it went.

    A gateway's order that may no longer leave is denied; one that brokerage started itself is held.
    """
    account = accounts_store.find_account(conn, name.scope.account, lock=True)
    row = intents.unanswered(conn, order_id)
    if account is None or row is None or row.wire_ns is not None:
        return False
    desk, fence = open_desk(conn, house, account, name.scope, order_id), locked_fence(conn, account.world_id)
    record, time = desk.records[order_id], now_of(account, now_ns)
    if record.triggered:
        goes = may_go(desk, record, fence) and (row.epoch == fence.epoch or still_reached(desk, record))
        refused = [] if goes else desk.note(order_id, time, HELD)
    else:
        refused = _denied(desk, record, fence, row.epoch, time)
        goes = not refused
    if goes:
        narrow(desk, record, fence)
        intents.put_on_the_wire(conn, order_id, fence.epoch, now_ns)
    made = [desk.send(order_id, time)] if goes else refused
    keep_desk(conn, account, desk, made)
    return goes


def _denied(desk: Desk, record: OrderRecord, fence: Fence, epoch: int, time: EventTime) -> list[OrderEvent]:
    """The refusal of a gateway's order between its intent and the wire, if there is one."""
    detail = f"before the wire: fence is {fence.state.value} at epoch {fence.epoch}, the order's is {epoch}"
    try:
        denial = refusal(fence, epoch, ExecutionDomain.DRYRUN, desk.reduces(record.order))
    except NotReady:
        denial = Denial.FENCED
    if denial is None and desk.trading is TradingState.HALTED:
        denial, detail = Denial.TRADING_HALTED, "before the wire: the account is HALTED"
    return [] if denial is None else [desk.deny(record.id, time, denial, detail)]
