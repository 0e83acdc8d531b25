"""Netted orders: one order at the venue for several strategies, each of whose shares is judged and booked as its own.

A share is judged as an order of its owner would be, but for the least size of an order, which is the whole's. Those
that only reduce are judged as the books are; those that add, in books in which the reducing ones are done, because all
fill together. A fill is booked to the shares in whole lots, each as a filled order of its owner, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.events import EventTime, Fill, Liquidity, OrderEvent
from brokerage.domain.orders.order import INTERNAL, NETTED, Order, OrderShare, Side, SizedOrder
from brokerage.domain.orders.record import OrderRecord, share_fees, share_units
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.orders.totals import totals_of_new
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from brokerage.domain.risk.rules import check_netted
from brokerage.domain.risk.sizing import size
from brokerage.domain.trading.commands import UNSIZED, examine, take
from brokerage.domain.trading.reports import book_report
from qmtl.core.decimals import format_decimal

CROSSED = "0"
Done = list[tuple[StrategyBook, OrderEvent]]


def judge_whole(view: AccountView, order: Order, at_ns: int) -> tuple[SizedOrder, Refusal | None]:
    """What the venue would say of a netted order; one that crosses goes to none."""
    instrument = view.instruments.find(order.symbol)
    if instrument is None or order.crosses:
        _, refused = (UNSIZED, None) if order.crosses and instrument else examine(view, order, None, at_ns, RATE_ONE)
        return UNSIZED, refused
    now = context_of(view, order, instrument, at_ns, RATE_ONE)
    sized = size(order, now)
    return (UNSIZED, sized) if isinstance(sized, Refusal) else (sized, check_netted(order, sized, now))


def judge_share(view: AccountView, order: Order, share: OrderShare, at_ns: int) -> Refusal | None:
    """Why a share may not trade, if there is a reason. One that may is counted in the view from then on: done, if it
    only reduces, else as an open order.
    """
    instrument = view.instruments.find(order.symbol)
    if instrument is None:
        return None  # the whole is refused for it
    own = order_of_share(order, share)
    loose = replace(instrument, quantity_min=0, notional_min=0)
    sized, refused = examine(view, own, loose, at_ns, RATE_ONE)
    book, mark = view.book(own.owner), view.marks.get(order.symbol)
    if refused is None and share.reduce_only and not book.reduces(own, instrument):
        refused = Refusal(Denial.REDUCE_ONLY_INCREASES, f"{own.quantity} is more than is held of {order.symbol}")
    if refused is not None or mark is None:
        return None if refused is None else Refusal(refused.denial, f"{share}: {refused.message}")
    if share.reduce_only:
        _reduce(view, book, own, instrument, mark.price, sized.quantity)
    else:
        book.reserve(order.symbol, own.side, totals_of_new(own, sized, instrument))
    return None


def order_of_share(order: Order, share: OrderShare) -> Order:
    """A share as an order of its owner, with the limit of the whole where that is on its side."""
    along = share.side is order.side and not order.crosses
    return Order(
        share.owner(order.owner.account),
        order.client_order_id,
        order.symbol,
        share.side,
        abs(share.quantity),
        type=OrderType.LIMIT if along else OrderType.MARKET,
        tif=TimeInForce.IOC,
        limit_price=order.limit_price if along else None,
        reduce_only=share.reduce_only,
        venue=order.venue,
    )


def overtaken(view: AccountView, record: OrderRecord) -> Refusal | None:
    """Why an open netted order may not trade on, if there is a reason, as `overtaking` has it."""
    order = record.order
    if not order.shares or record.instrument is None:
        return None
    got = record.booked or (0,) * len(order.shares)
    whole = share_units(order, record.instrument)
    return overtaking(view, order, [abs(units) - abs(done) for units, done in zip(whole, got, strict=True)])


def overtaking(view: AccountView, order: Order, left: Iterable[int]) -> Refusal | None:
    """Why so much of each share may not trade, if there is a reason: one that only reduces has more left than its owner
    still holds beside its own orders that close at once, and would take it through zero. `view` has those.
    """
    for share, units in zip(order.shares, left, strict=True):
        book = view.book(share.owner(order.owner.account))
        held, leaving = -book.held(order.symbol) * share.side.sign, _leaving(book, order.symbol, share.side)
        if share.reduce_only and units > max(held - leaving, 0):
            said = f"{share}: it only reduces, and less than what is left of it is held of {order.symbol} now"
            return Refusal(Denial.REDUCE_ONLY_INCREASES, f"{said}: {_numbers(view, order, units, held, leaving)}")
    return None


def _numbers(view: AccountView, order: Order, left: int, held: int, leaving: int) -> str:
    """What is left of a share, what its owner holds, and what its own orders are about to close of that."""
    instrument = view.instruments.find(order.symbol)
    assert instrument is not None, "it was judged"
    asked, has, closes = (format_decimal(instrument.quantity_decimal(units)) for units in (left, max(held, 0), leaving))
    return f"{asked} of {has}, {closes} of which own orders are closing"


def _leaving(book: StrategyBook, symbol: str, side: Side) -> int:
    """What the owner's own orders that rest nowhere may still trade on a side."""
    return sum(
        record.remaining for record in book.open_orders(symbol) if record.order.side is side and record.rests_nowhere
    )


def end_overtaken(view: AccountView, book: StrategyBook, symbol: str, time: EventTime) -> list[OrderEvent]:
    """End the netted orders of a symbol that may not trade on; nothing was filled for them meanwhile."""
    made: list[OrderEvent] = []
    for record in book.open_orders():
        refused = overtaken(view, record) if record.order.symbol == symbol else None
        if refused is not None:
            report = VenueReport(record.id, EventKind.CANCELED, time, reason=refused.message)
            made.append(book_report(book, report))
    return made


def _reduce(view: AccountView, book: StrategyBook, own: Order, instrument: Instrument, price: int, units: int) -> None:
    """Have a view say what it would after an order that only reduces: quantity and cash move, equity stays."""
    before = dict(book.ledger.cash)
    traded = Fill("", units, price, 0, instrument.quote, Liquidity.TAKER, 0)
    book.ledger.book(instrument, own.side, traded)
    flow = book.ledger.cash.get(instrument.quote, 0) - before.get(instrument.quote, 0)
    if view.cash is not book.ledger.cash:
        view.cash = {**view.cash, instrument.quote: view.cash.get(instrument.quote, 0) + flow}


def with_shares(view: AccountView, done: Iterable[tuple[StrategyBook, OrderEvent]]) -> Done:
    """What was done, and behind each fill of a netted order what it brought its shares."""
    made: Done = []
    for book, event in done:
        made.append((book, event))
        if event.booked:
            made += _brought(view, book, event)
    return made


def cross(view: AccountView, order: Order, units: Sequence[int], price: int, time: EventTime) -> Done:
    """The shares of an order that adds up to nothing trade with each other at a price, without a fee."""
    instrument = view.instruments.at(order.venue).find(order.symbol)
    assert instrument is not None, "it was judged"
    traded = Fill(order.client_order_id, 0, price, 0, instrument.quote, Liquidity.TAKER, time.at_ns)
    return list(_parts(view, order, units, traded, [0] * len(units), time, CROSSED))


def _brought(view: AccountView, book: StrategyBook, event: OrderEvent) -> Iterator[tuple[StrategyBook, OrderEvent]]:
    record, fill = book.record(event.order_id), event.fill
    assert fill is not None, "only fills are booked"
    assert record.instrument is not None, "it filled"
    fees = share_fees(record.instrument, fill, event.booked)
    time = EventTime(event.at_ns, event.received_ns)
    return _parts(view, record.order, event.booked, fill, fees, time, str(event.seq))


def _parts(
    view: AccountView,
    order: Order,
    units: Sequence[int],
    fill: Fill,
    fees: Sequence[int],
    time: EventTime,
    number: str,
) -> Iterator[tuple[StrategyBook, OrderEvent]]:
    """A filled order of each owner that a fill brought something, with its events."""
    for index, (share, booked, fee) in enumerate(zip(order.shares, units, fees, strict=True)):
        if not booked:
            continue
        own = order_of_share(order, share)
        instrument = view.instruments.find(order.symbol)
        assert instrument is not None, "it was sent"
        inside = order.crosses or share.side is not order.side
        own = replace(
            own,
            client_order_id=f"{order.client_order_id}.{number}",
            quantity=instrument.quantity_decimal(abs(booked)),
            tags=(*order.tags, NETTED, *((INTERNAL,) if inside else ())),
        )
        book = view.book(own.owner)
        limit = None if own.limit_price is None else instrument.price_units(own.limit_price)
        began = take(view, own, time, SizedOrder(abs(booked), limit, None, None, 0), None, EventKind.ACCEPTED)
        yield from ((book, event) for event in began)
        part = replace(fill, trade_id=f"{fill.trade_id}#{index}", quantity=abs(booked), fee=fee)
        yield book, book_report(book, VenueReport(began[0].order_id, EventKind.FILLED, time, part))
