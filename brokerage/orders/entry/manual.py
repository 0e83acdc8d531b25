"""Orders of people: of the operator's own, and those that close what others hold. Each is audited with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import audit
from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.audit import Actor
from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import OPERATOR, Order, OrderName, Owner, Side, order_id
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import GateStamp
from brokerage.fences import change
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.entry.cancel import cancel_order
from brokerage.orders.entry.submit import submit
from qmtl.core.modes import ExecutionDomain

PAPER = "paper"
ASKED_LETTERS = 20


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts by hand, why and when."""

    actor: Actor
    reason: str
    now_ns: int

    @property
    def who(self) -> tuple[str, str]:
        """The actor as the audit log keeps one."""
        return self.actor.name, self.actor.correlation_id


@dataclass(frozen=True, slots=True)
class Flatten:
    """What is to be closed: an account, or what one strategy holds in it; `despite_fence`: in worlds that are frozen
    too, and at live venues in such as fell back to paper.
    """

    account: str
    strategy_id: str
    request_id: str
    despite_fence: bool = False


def submit_by_hand(conn: Connection, market: MarketContext, order: Order, act: Act) -> tuple[StoredOrder, bool]:
    """Take an order of the operator under the fence of the moment; the answer and whether it was known already.

    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ORDER_CONFLICT), NotReady (E_STALE_EPOCH); none leaves a trace.
    """
    return _submit(conn, market, order, act, "manual_order")


def cancel_by_hand(conn: Connection, market: MarketContext, name: OrderName, actor: Actor, now_ns: int) -> StoredOrder:
    """Cancel an order of the operator; the cancel is audited. Raises NotFound (E_ORDER_UNKNOWN)."""
    stored = cancel_order(conn, market, name, now_ns)
    detail = f"{name.client_order_id} of {name.owner.world_id}, {stored.record.state.value}"
    audit.record(conn, now_ns, (actor.name, actor.correlation_id), "manual_cancel", name.owner.account, detail)
    return stored


def flatten(conn: Connection, market: MarketContext, wanted: Flatten, act: Act) -> list[StoredOrder]:
    """Close positions by reduce-only market orders of their owners, in one transaction; a retry answers those orders.

    The same request_id for another strategy, or for the whole account, is another request.

    Raises NotFound (E_ACCOUNT_UNKNOWN), NotReady (E_STALE_EPOCH).
    """
    account = accounts_store.account(conn, wanted.account, lock=True)
    asked = order_id(Owner(wanted.account, OPERATOR, wanted.strategy_id), wanted.request_id)
    prefix = f"flatten-{asked[:ASKED_LETTERS]}-"  # of one length: no request's is the beginning of another's
    market = market.of(account)
    known = _named(conn, market, account, prefix, wanted.strategy_id)
    if known:
        return known
    view, orders, left = load_view(conn, market, account), list[Order](), list[str]()
    for owner, book in sorted(view.books.items(), key=lambda item: (item[0].world_id, item[0].strategy_id)):
        for symbol in sorted(book.symbols()) if wanted.strategy_id in ("", owner.strategy_id) else ():
            instrument, held = market.instruments.find(symbol), book.held(symbol)
            if held and instrument is not None:
                orders.append(closing_order(owner, instrument, held, prefix + symbol))
            elif held:
                left.append(f"{symbol} of {owner.strategy_id} is left: no properties of it are known")
    if left or not orders:
        said = "; ".join(left) or "nothing was held"
        audit.record(conn, act.now_ns, act.who, "flatten", account.account, f"{act.reason}: {said}")
    return [_submit(conn, market, order, act, "flatten", wanted.despite_fence)[0] for order in orders]


def closing_order(owner: Owner, instrument: Instrument, held: int, name: str) -> Order:
    """The order that closes a position at the market."""
    side, quantity = Side.SELL if held > 0 else Side.BUY, closing_quantity(instrument, held)
    return Order(owner, name, instrument.symbol, side, quantity, reduce_only=True, venue="", tags=(OPERATOR,))


def closing_quantity(instrument: Instrument, held: int) -> Decimal:
    """All lots of a position, or all of what is less than one."""
    return instrument.quantity_decimal(abs(held) - abs(held) % instrument.lot or abs(held))


def _submit(
    conn: Connection, market: MarketContext, order: Order, act: Act, what: str, despite_fence: bool = False
) -> tuple[StoredOrder, bool]:
    account = accounts_store.account(conn, order.owner.account, lock=True)
    fence, _ = change.current(conn, order.owner.world_id)
    domain = ExecutionDomain.DRYRUN if account.venue == PAPER else ExecutionDomain.LIVE
    gate = GateStamp(fence.epoch, RATE_ONE, domain, reduce_only=order.reduce_only)
    stored, known = submit(
        conn, market, order, gate, act.now_ns, fence.limits, despite_fence=despite_fence and not order.owner.in_no_world
    )
    if not known:
        said = f"{act.reason}: {order.side.value} {order.quantity} {order.symbol} as {order.client_order_id}"
        despite = ", despite the fence" if despite_fence else ""
        detail = f"{said} of {order.owner.strategy_id}{despite}, {stored.record.state.value}"
        audit.record(conn, act.now_ns, act.who, what, account.account, detail)
    return stored, known


def _named(
    conn: Connection, market: MarketContext, account: Account, prefix: str, strategy_id: str
) -> list[StoredOrder]:
    """Orders of an account whose ids begin so, of one strategy or of all."""
    heads = t.orders.c
    query = sa.select(heads.world_id, heads.strategy_id, heads.client_order_id).where(
        heads.account == account.account, heads.client_order_id.startswith(prefix, autoescape=True)
    )
    rows = conn.execute(query.order_by(heads.created_sequence)).all()
    return [
        store.order(conn, OrderName(Owner(account.account, world_id, who), name), market.instruments)
        for world_id, who, name in rows
        if strategy_id in ("", who)
    ]
