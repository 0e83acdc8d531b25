"""Makes way for an order that closes at once: it trades no more than is held, and nothing else holds what it sells."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.money import floor_to
from brokerage.domain.orders.events import EventTime, OrderEvent
from brokerage.domain.orders.order import OrderName, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.totals import NO_OPEN_ORDERS
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.unprotected import WAITS
from brokerage.market.context import MarketContext
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.working import load_open_orders
from qmtl.core.decimals import format_decimal

GIVES_WAY = "GIVES_WAY: it holds what is to be sold at once"
CLOSES_ALREADY = "HELD: an order that is at its venue may close what it sells, and is to end first"
NETTED_FIRST = "HELD: a netted order that is at its venue reduces the same position, and is to end first"
NETTED_INSTEAD = "REDUCE_ONLY: netted orders have reduced"
CUT = "REDUCE_ONLY: cut to what is held"
NOTHING_HELD = "REDUCE_ONLY: no position is left to reduce"


def awaited_netted(book: StrategyBook, record: OrderRecord) -> str:
    """Why an order waits until a netted order has ended that reduces the same position, where both together would take
    it through zero. Empty: it does not.
    """
    order, held = record.order, -book.held(record.order.symbol) * record.order.side.sign
    coming = book.reserved.get((order.symbol, order.side), NO_OPEN_ORDERS).reducing
    if not coming or held <= 0 or record.remaining + coming <= held:
        return ""
    left, most, has = (_shown(record, units) for units in (record.remaining, coming, held))
    return f"{NETTED_FIRST}: {most} and {left} are more than the {has} that are held"


def after_netted(book: StrategyBook, record: OrderRecord, done: int, time: EventTime) -> list[OrderEvent]:
    """Cut off an order what netted orders have reduced since it was taken: it was sized for what was held then."""
    if not done or record.triggered or record.order.parent:
        return []
    detail = (
        f"{NETTED_INSTEAD} {_shown(record, done)} since it was taken, of the {_shown(record, record.remaining)} asked"
    )
    if done >= record.remaining:
        ended = commands.cancel(book, record.id, time, direct=True, detail=detail)
        return [] if ended is None else [ended]
    terms = replace(record.terms, quantity=record.quantity - done)
    return commands.replace_terms(book, record.id, terms, time, direct=True, detail=detail)


def closes_at_once(record: OrderRecord) -> bool:
    """Whether an order only reduces, and rests nowhere."""
    return record.order.reduce_only and record.rests_nowhere


def make_way(
    conn: Connection, market: MarketContext, account: Account, name: OrderName, order_id: str, now_ns: int
) -> Account | None:
    """The account, where such an order may go on the wire now, cut to what is held. None: it waits until resting orders
    that hold what it sells have ended, which is asked for, or others that close the same, or it has ended itself as
    nothing is left to reduce.
    """
    market = market.of(account)
    view = load_open_orders(conn, market, account)
    book = view.book(name.owner)
    record = book.record(order_id)
    time = account.time(now_ns, record.order.symbol)
    closing = _closing(book, record)
    held = book.reducible(record.order)
    if closing and record.remaining > held - closing:
        left, most, has = (_shown(record, units) for units in (record.remaining, closing, held))
        said = f"{CLOSES_ALREADY}: {most} and {left} are more than the {has} that are held"
        record_in(conn, market, account, (view, book), commands.note(book, order_id, time, said))
        return None
    holding = _holding(book, record, closing) if market.traits.holds_sales else []
    if holding:
        made = [event for other in holding if (event := _end(market, book, other, time)) is not None]
        for event in made:
            if event.kind is EventKind.PENDING_CANCEL:
                intents.write_cancel(conn, book.record(event.order_id), now_ns)
        made += commands.note(book, order_id, time, WAITS)
        record_in(conn, market, account, (view, book), made)
        return None
    made, goes = _cut(book, record, time)
    account = record_in(conn, market, account, (view, book), made)
    return account if goes else None


def gave_way(record: OrderRecord) -> bool:
    """Whether resting orders were ended for an order that closes at once, so that nothing else may protect any more."""
    return record.detail == WAITS


def _closing(book: StrategyBook, record: OrderRecord) -> int:
    """What the owner's other orders that close at once may still take off the position: a venue has them."""
    return sum(
        other.remaining
        for other in book.open_orders(record.order.symbol)
        if other.id != record.id
        and other.order.side is record.order.side
        and closes_at_once(other)
        and (other.acknowledged or other.on_the_wire)
    )


def _holding(book: StrategyBook, record: OrderRecord, closing: int) -> list[OrderRecord]:
    """The owner's resting sales that only reduce, where they and what is `closing` leave too little of what it holds
    for this one.
    """
    if record.order.side is not Side.SELL:
        return []
    found = [
        other
        for other in book.open_orders(record.order.symbol)
        if other.id != record.id
        and other.order.side is Side.SELL
        and other.order.reduce_only
        and (other.acknowledged or other.on_the_wire)
        and not closes_at_once(other)
    ]
    free = book.held(record.order.symbol) - closing - sum(other.remaining for other in found)
    return found if record.remaining > free else []


def _end(market: MarketContext, book: StrategyBook, other: OrderRecord, time: EventTime) -> OrderEvent | None:
    if not market.may_cancel(other.id):
        return None
    return commands.cancel(book, other.id, time, direct=market.link.direct, detail=GIVES_WAY)


def _cut(book: StrategyBook, record: OrderRecord, time: EventTime) -> tuple[list[OrderEvent], bool]:
    """An order cut to the lots that are held, and whether anything of it is left to go."""
    held, instrument = book.reducible(record.order), record.instrument
    if record.remaining <= held or instrument is None:
        return [], True
    left = floor_to(held, instrument.lot)
    if not left:
        ended = commands.cancel(book, record.id, time, direct=True, detail=NOTHING_HELD)
        return [] if ended is None else [ended], False
    terms = replace(record.terms, quantity=record.filled + left)
    detail = f"{CUT}: {_shown(record, held)} are held of the {_shown(record, record.remaining)} asked"
    return commands.replace_terms(book, record.id, terms, time, direct=True, detail=detail), True


def _shown(record: OrderRecord, units: int) -> str:
    """A quantity of an order as it is told."""
    return str(units) if record.instrument is None else format_decimal(record.instrument.quantity_decimal(units))
