"""Changes open orders, in one transaction each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from brokerage.domain.orders.denials import Refusal
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Contingency
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import EventKind, OrderState
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import GateStamp
from brokerage.domain.trading import commands
from brokerage.domain.trading.replacement import Replace, judge, reduces
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.entry.gated import Act, admit, bind, hold
from brokerage.orders.rows import change_text
from brokerage.orders.working import load_orders
from qmtl.core.errors import Conflict, NotReady
from qmtl.core.limits import UNLIMITED, RiskLimits


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a replace: the order as it stands, and the rule that refused it."""

    stored: StoredOrder
    refusal: Refusal | None
    duplicate: bool


def replace_order(
    conn: Connection,
    market: MarketContext,
    wanted: Replace,
    gate: GateStamp,
    now_ns: int,
    seen: RiskLimits = UNLIMITED,
) -> Replaced:
    """Change an open order, or say by which rule not; the order then works on as it was.

    `seen`: see `hold`. Raises NotFound (E_ACCOUNT_UNKNOWN, E_ORDER_UNKNOWN), Conflict (E_REPLACE_CONFLICT), NotReady
    (E_STALE_EPOCH, E_ORDER_CLOSED, E_ORDER_PENDING, E_ORDER_LISTED), InvalidRequest (E_ORDER_MALFORMED); none leaves
    a trace.
    """
    held = hold(conn, market, wanted.name.owner, seen)
    market = market.of(held.account)
    known = store.order(conn, wanted.name, market.instruments)
    asked = store.replace_asked(conn, known.record.id, wanted.request_id)
    if asked is not None:
        return Replaced(known, _same(wanted, asked), duplicate=True)
    _require_changeable(known, wanted)
    view, book = load_orders(conn, market, held.account, wanted.name.owner, known.record.id)
    fence = locked_fence(conn, wanted.name.owner.world_id)
    bind(conn, market, held, view, fence)
    record, time = book.record(known.record.id), held.account.time(now_ns, known.order.symbol)
    owner, side = wanted.name.owner, record.order.side
    act = Act(owner, () if reduces(book, record, wanted.change) else (side,))
    account, refused = admit(market, held, fence, gate, now_ns, act=act)
    if gate.reduce_only or not fence.may_add(owner.strategy_id, side):
        commands.narrow(book, record.id)  # judged, and worked from then on, as an order that came now would be
    terms = refused or judge(view, book.record(record.id), wanted.change, time.at_ns, gate.weight)
    events: list[OrderEvent] = []
    if isinstance(terms, Refusal) or terms == record.terms:
        book.keep(record)
    if isinstance(terms, Refusal):
        refused = terms
        events.append(commands.refuse_replace(book, record.id, time, terms))
    elif terms != record.terms:
        events += commands.replace_terms(book, record.id, terms, time, direct=market.link.direct)
        if events[-1].kind is EventKind.PENDING_UPDATE:
            intents.write(conn, book.record(record.id), gate.epoch, now_ns, VenueAct.REPLACE, record.replaces + 1)
    store.add_replace(conn, record.id, wanted.request_id, change_text(wanted.change), refused)
    record_in(conn, market, account, (view, book), events)
    stored = StoredOrder(known.order, known.epoch, (*known.events, *events), book.record(record.id))
    return Replaced(stored, refused, duplicate=False)


def _require_changeable(known: StoredOrder, wanted: Replace) -> None:
    record = known.record
    name = {"client_order_id": known.order.client_order_id}
    if record.closed:
        raise NotReady("E_ORDER_CLOSED", f"the order is {record.state.value}", metadata=name)
    if wanted.change.quantity is not None and (known.order.parent or known.order.contingency is Contingency.OUO):
        raise NotReady("E_ORDER_LISTED", "the list decides the quantity of the order", metadata=name)
    if record.wanted is not None or record.on_the_wire or record.state is OrderState.PENDING_CANCEL:
        raise NotReady("E_ORDER_PENDING", "the venue has not answered what was asked before", metadata=name)


def _same(wanted: Replace, asked: store.ReplaceAsked) -> Refusal | None:
    if asked.change == change_text(wanted.change):
        return asked.refusal
    raise Conflict(
        "E_REPLACE_CONFLICT",
        f"request_id {wanted.request_id} was another change of the order",
        hint="use a new request_id for a new change",
        metadata={"request_id": wanted.request_id},
    )
