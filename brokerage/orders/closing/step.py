"""One step of a closing in one account, in one transaction: what is in its way is cancelled, what is due is sent."""

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
from brokerage.domain.orders.order import NETTING, OrderName, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.risk.fence import Fence, FenceState, GateStamp, VenueKind
from brokerage.fences import change
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.closing.attempts import Closing, closing_order, in_the_way, next_due_ns, quantity_of
from brokerage.orders.entry.cancel import cancel_order
from brokerage.orders.entry.submit import submit
from brokerage.orders.rows import record_of, shares_of
from qmtl.core.modes import ExecutionDomain

PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Left:
    """A position that is not closed yet, and what it waits for."""

    account: str
    symbol: str
    quantity: Decimal
    attempts: tuple[OrderRecord, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a closing in an account."""

    left: tuple[Left, ...] = ()
    adding: tuple[OrderName, ...] = ()


def accounts_of(conn: Connection, closing: Closing) -> list[str]:
    """Accounts of the domain in which the strategy holds something of its side or has an open order, also as a share of
    a netted one, by name.
    """
    held, orders = t.positions.c, t.orders.c
    mine = [
        sa.select(held.account).where(
            held.world_id == closing.world_id,
            held.strategy_id == closing.strategy_id,
            held.quantity * closing.holds.sign > 0,
        ),
        sa.select(orders.account).where(
            orders.world_id == closing.world_id, orders.strategy_id == closing.strategy_id, orders.open
        ),
    ]
    netted = sa.select(orders.account, orders.shares).where(orders.strategy_id == NETTING, orders.open)
    names = {str(name) for query in mine for name in conn.execute(query.distinct()).scalars()}
    names |= {
        str(row.account)
        for row in conn.execute(netted)
        if any(share.owner(row.account) == closing.owner(row.account) for share in shares_of(row.shares))
    }
    found = [accounts_store.account(conn, name) for name in sorted(names)]
    paper = closing.domain is ExecutionDomain.DRYRUN
    return [account.account for account in found if (account.venue == PAPER) is paper]


def take_step(
    conn: Connection, market: MarketContext, closing: Closing, name: str, actor: Actor, now_ns: int
) -> Standing:
    """Cancel what could add to the side, send what is due, tell what is left. Who may add to the side by the fence of
    the moment is not demoted, or not any more: nothing is done to it, whatever a late request asks.

    Raises NotReady (E_STALE_EPOCH); nothing is recorded then.
    """
    account = accounts_store.account(conn, name, lock=True)
    market = market.of(account)
    fence = change.current(conn, closing.world_id)[0]
    step = _Step(conn, market, closing, fence, actor, now_ns)
    goes_on = fence.may_add(closing.strategy_id, closing.holds)
    adding = () if goes_on else step.cancel_in_the_way(account)
    account = accounts_store.account(conn, name, lock=True)  # with the numbers of the cancels' events
    book = load_view(conn, market, account).book(closing.owner(name))
    held = {symbol: book.held(symbol) for symbol in sorted(book.symbols())}
    left = [step.position(account, symbol, some) for symbol, some in held.items() if closing.holds_some(some)]
    return Standing(tuple(left), adding)


@dataclass(frozen=True, slots=True)
class _Step:
    """What every position of a step shares."""

    conn: Connection
    market: MarketContext
    closing: Closing
    fence: Fence
    actor: Actor
    now_ns: int

    def cancel_in_the_way(self, account: Account) -> tuple[OrderName, ...]:
        """Cancel what could add to the side; the names of those that have not ended yet."""
        owner = self.closing.owner(account.account)
        book = load_view(self.conn, self.market, account).book(owner)
        mine = [
            stored.record
            for stored in store.open_orders(self.conn, self.market.instruments, account.account)
            if stored.order.owner == owner or stored.order.shares
        ]
        held = {symbol: book.held(symbol) for symbol in book.symbols()}
        other = Side.SELL if self.closing.holds is Side.BUY else Side.BUY
        may_turn = self.fence.may_add(owner.strategy_id, other)
        names = [
            OrderName(record.order.owner, record.order.client_order_id)
            for record in in_the_way(self.closing, mine, held, may_turn=may_turn)
        ]
        return tuple(
            name for name in names if not cancel_order(self.conn, self.market, name, self.now_ns).record.closed
        )

    def position(self, account: Account, symbol: str, held: int) -> Left:
        """One position: sends its next order where that is due, and says what it waits for."""
        instrument = self.market.instruments.find(symbol)
        if instrument is None:
            return Left(account.account, symbol, Decimal(held), (), "INSTRUMENT_UNKNOWN: no properties of it are known")
        attempts = self._attempts(account, symbol)
        sent, reason = self._due(account, instrument, held, attempts)
        return Left(account.account, symbol, instrument.quantity_decimal(held), (*attempts, *sent), reason)

    def _due(
        self, account: Account, instrument: Instrument, held: int, attempts: tuple[OrderRecord, ...]
    ) -> tuple[tuple[OrderRecord, ...], str]:
        """The order that was sent now, if one was, and the sentence."""
        if attempts and not attempts[-1].closed:
            newest = attempts[-1]
            unheard = ", and its venue has not answered" if newest.unresolved else ""
            return (), f"WORKING: {newest.order.client_order_id} is {newest.state.value}{unheard}"
        if self.market.kind is VenueKind.SHUT:
            return (), "NO_LIVE_VENUE: the account's venue is not set up as live"
        if self.fence.state is FenceState.FROZEN:
            return (), f"FENCED: the fence of world {self.fence.world_id} is FROZEN at epoch {self.fence.epoch}"
        if self.fence.may_add(self.closing.strategy_id, self.closing.holds):
            may = f"{self.closing.strategy_id} may add by a {self.closing.holds.value} at epoch {self.fence.epoch}"
            return (), f"GOES_ON: by the fence of world {self.fence.world_id} {may}"
        mark = account.marks.get(instrument.symbol)
        due_ns = next_due_ns(attempts, quantity_of(instrument, held))
        if due_ns is None:
            return (), _said(attempts[-1])
        if mark is None:
            return (), f"MARK_MISSING: no price of {instrument.symbol} is known"
        if self.now_ns < due_ns:
            return (), f"{_said(attempts[-1])}, the next order follows"
        record = self._send(account, instrument, held, mark.price, len(attempts) + 1)
        return (record,), _said(record) if record.closed else f"WORKING: {record.order.client_order_id} was sent"

    def _send(self, account: Account, instrument: Instrument, held: int, mark: int, attempt: int) -> OrderRecord:
        order = closing_order(self.closing, account.account, instrument, held, mark, attempt)
        gate = GateStamp(self.fence.epoch, RATE_ONE, self.closing.domain, reduce_only=True)
        stored, _ = submit(self.conn, self.market, order, gate, self.now_ns, self.fence.limits)
        said = f"{order.side.value} {order.quantity} {order.symbol} at {order.limit_price} or better"
        detail = f"{said} as {order.client_order_id} of {order.owner.strategy_id}, {stored.record.state.value}"
        who = (self.actor.name, self.actor.correlation_id)
        audit.record(self.conn, self.now_ns, who, "close_position", account.account, detail)
        return stored.record

    def _attempts(self, account: Account, symbol: str) -> tuple[OrderRecord, ...]:
        """Orders of the closing in a symbol, oldest first. Their names end with the number of the attempt."""
        heads, head = t.orders.c, self.closing.order_name(account.account, symbol, 0)[:-1]
        query = sa.select(t.orders).where(
            heads.account == account.account,
            heads.world_id == self.closing.world_id,
            heads.strategy_id == self.closing.strategy_id,
            heads.symbol == symbol,
            heads.client_order_id.startswith(head, autoescape=True),
        )
        rows = self.conn.execute(query.order_by(heads.created_sequence)).all()
        return tuple(record_of(row, self.market.instruments) for row in rows)


def _said(record: OrderRecord) -> str:
    """Why an order did not close the position."""
    why = record.denial.value if record.denial is not None else record.state.value
    return f"{why}: {record.detail or record.order.client_order_id}"
