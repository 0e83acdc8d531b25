"""Checks a written intent against the fence of this moment and puts it on the wire."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Contingency, OrderName
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import OrderState, OrderType, TimeInForce
from brokerage.domain.risk.context import increases
from brokerage.domain.risk.fence import Fence, GateStamp, VenueKind, domain_at, misplaced, refusal
from brokerage.domain.trading import commands
from brokerage.domain.trading.order_lists import refused_anew
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.fences.unprotected import UNPROTECTED
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.entry.contingencies import fence_of, record_in
from brokerage.orders.entry.permission import may_go, narrow, shares_barred
from brokerage.orders.working import load_orders
from brokerage.venues.dispatch.closing import (
    after_netted,
    awaited_netted,
    closes_at_once,
    gave_way,
    make_way,
)
from brokerage.venues.dispatch.emulation import HELD, still_reached
from qmtl.core.errors import NotReady

PACED = "the venue's request limits held it up"
IMMEDIATE_NS = 5 * SECOND_NS  # how long an order that is to be done at once may wait for them


def to_wire(
    conn: Connection, market: MarketContext, name: OrderName, order_id: str, now_ns: int, *, paced: bool = False
) -> bool:
    """Check a written intent against the fence of this moment and put it on the wire; whether it went.

    A gateway's order that may no longer leave is denied; one that brokerage started itself is held. `paced`: the
    venue's request limits let nothing through now, so it waits, unless it may not wait any longer.
    """
    account = accounts_store.find_account(conn, name.owner.account, lock=True)
    row = intents.unanswered(conn, order_id)
    if account is None or row is None or row.wire_ns is not None:
        return False
    fence, trading = locked_fence(conn, name.owner.world_id), _trading(market, account)
    kind = market.of(account).kind
    view, book = load_orders(conn, market, account, name.owner, order_id)
    record = book.record(order_id)
    time = account.time(now_ns, record.order.symbol)
    beside = market.of(account).link.remote and not record.order.shares
    if beside and (waits := awaited_netted(book, record)):
        record_in(conn, market, account, (view, book), commands.note(book, order_id, time, waits))
        return False
    if record.triggered or record.order.parent:  # brokerage's own acts are held, never denied
        if paced:
            return False
        still = row.epoch == fence.epoch or not record.triggered or still_reached(view, record)
        goes = may_go(book, trading, record, fence, kind) and still
        made = [] if goes else commands.note(book, order_id, time, HELD)
        if goes and row.epoch != fence.epoch and not record.triggered:  # it was held: what it met then is long ago
            fence_of(conn, market, account, view, name.owner.world_id)
            refused_now = refused_anew(view, book, order_id, time)
            goes, made = refused_now is None, refused_now or []
    else:
        way = gave_way(record)  # it stands for the exits that were ended for it: neither epoch nor pace is held to it
        epoch = fence.epoch if way and row.epoch != intents.NO_FENCE else row.epoch
        refused = _refusal(book, account, record, fence, epoch, kind) or _adds(market, book, record)
        refused = refused or shares_barred(conn, market, account, record)
        if refused is None and paced:
            refused = _too_late(record, time.at_ns, 0 if way else now_ns - row.sent_ns)
            if refused is None:
                return False
        if refused is not None and way:
            refused = Refusal(refused.denial, f"{refused.message}; {UNPROTECTED}")
        goes = refused is None
        made = [] if refused is None else [commands.deny(book, order_id, time, refused)]
    if goes and closes_at_once(record):
        free = make_way(conn, market, account, name, order_id, now_ns)
        if free is None:
            return False
        account = free
        view, book = load_orders(conn, market, account, name.owner, order_id)
    elif goes and beside:
        done = after_netted(book, record, store.netted_since(conn, record), time)
        account = record_in(conn, market, account, (view, book), done)
        goes = not book.record(order_id).closed
    if goes:
        narrow(book, trading, record, fence)
        intents.put_on_the_wire(conn, order_id, fence.epoch, now_ns)
        made = [commands.send(book, order_id, time)]
    record_in(conn, market, account, (view, book), made)
    return goes


def _trading(market: MarketContext, account: Account) -> TradingState:
    """What an account may do now, also where its venue may only be sent what reduces."""
    only_reduces = account.trading_state is TradingState.ACTIVE and market.only_reduces()
    return TradingState.REDUCING if only_reduces else account.trading_state


def replace_to_wire(
    conn: Connection, market: MarketContext, name: OrderName, order_id: str, now_ns: int, *, paced: bool = False
) -> bool:
    """Check the intent of a replace against the fence of this moment and put it on the wire; whether it went.

    A client's that may no longer leave is refused, and its order works on as it was; one that a list asked for is held
    until it may go, or is given up for a cancel.
    """
    account = accounts_store.find_account(conn, name.owner.account, lock=True)
    row = intents.unanswered(conn, order_id, VenueAct.REPLACE)
    if account is None or row is None or row.wire_ns is not None:
        return False
    fence, kind = locked_fence(conn, name.owner.world_id), market.of(account).kind
    view, book = load_orders(conn, market, account, name.owner, order_id)
    record = book.record(order_id)
    if record.closed or record.wanted is None:
        return False
    if _is_of_its_list(record):
        goes = may_go(book, account.trading_state, replace(record, quantity=record.wanted.quantity), fence, kind)
        if not goes and record.state is not OrderState.PENDING_CANCEL:
            return False
        refused = None if goes else Refusal(Denial.FENCED, "a cancel was asked for while it was held")
    else:
        refused = _refusal(book, account, record, fence, row.epoch, kind) or _adds(market, book, record)
    if refused is not None:
        time = account.time(now_ns, record.order.symbol)
        record_in(conn, market, account, (view, book), [commands.refuse_replace(book, order_id, time, refused)])
        return False
    if paced:
        return False
    intents.put_on_the_wire(conn, order_id, fence.epoch, now_ns, VenueAct.REPLACE)
    return True


def _is_of_its_list(record: OrderRecord) -> bool:
    """Whether a pending replace is what its list asked for: no client changes the quantity of such an order."""
    listed = record.order.parent or record.order.contingency is Contingency.OUO
    return bool(listed) and record.wanted is not None and record.wanted.quantity != record.quantity


def cancel_to_wire(
    conn: Connection, market: MarketContext, name: OrderName, order_id: str, now_ns: int, *, paced: bool = False
) -> bool:
    """Put a cancel on the wire. It passes every fence."""
    row = intents.unanswered(conn, order_id, VenueAct.CANCEL)
    if row is None or row.wire_ns is not None or paced:
        return False
    intents.put_on_the_wire(conn, order_id, row.epoch, now_ns, VenueAct.CANCEL)
    return True


def _too_late(record: OrderRecord, at_ns: int, waited_ns: int) -> Refusal | None:
    """Why an order that the venue's request limits hold up may not wait on, if there is a reason."""
    if record.expire_ns is not None and record.expire_ns <= at_ns:
        return Refusal(Denial.EXPIRED_ON_ARRIVAL, f"{PACED}, until it had expired: nothing was sent")
    immediate = record.order.type is OrderType.MARKET or record.order.tif in (TimeInForce.IOC, TimeInForce.FOK)
    if immediate and waited_ns >= IMMEDIATE_NS:
        wait_s = IMMEDIATE_NS // SECOND_NS
        return Refusal(
            Denial.RATE_ABOVE_LIMIT, f"{PACED} for {wait_s} s, and it was to be done at once: nothing was sent"
        )
    return None


def _adds(market: MarketContext, book: StrategyBook, record: OrderRecord) -> Refusal | None:
    """Why an order that could add may not leave for its venue now, if there is a reason."""
    why = market.only_reduces()
    if not why or _reduces(book, record):
        return None
    return Refusal(Denial.TRADING_REDUCING, f"when it was to be sent: {why}; only what reduces goes there")


def _reduces(book: StrategyBook, record: OrderRecord) -> bool:
    """Whether an order only reduces with what it may still fill, changed as it is asked to be: one that closes at once
    is cut to what is held before it leaves.
    """
    whole = record.quantity if record.wanted is None else record.wanted.quantity
    left, held = whole - record.filled, book.held(record.order.symbol)
    return closes_at_once(record) or not increases(record.order.side, left, held)


def _refusal(
    book: StrategyBook, account: Account, record: OrderRecord, fence: Fence, epoch: int, kind: VenueKind
) -> Refusal | None:
    """Why a gateway's order may not go between its intent and the wire, if there is a reason."""
    gate = GateStamp(epoch, RATE_ONE, domain_at(kind), False)
    owner = record.order.owner
    try:
        despite = epoch == intents.NO_FENCE and record.order.reduce_only and not owner.in_no_world
        adding = () if _reduces(book, record) else (record.order.side,)
        refused = misplaced(gate.domain, kind) if despite else refusal(fence, gate, owner.strategy_id, adding, kind)
    except NotReady:
        where = f"the fence of world {fence.world_id} moved to epoch {fence.epoch}, {fence.state.value}"
        refused = Refusal(Denial.FENCED, f"{where}: the gateway let the order pass under epoch {epoch}")
    if refused is None and account.trading_state is TradingState.HALTED:
        refused = Refusal(Denial.TRADING_HALTED, "the account is HALTED: nothing may trade")
    return None if refused is None else Refusal(refused.denial, f"when it was to be sent: {refused.message}")
