"""Fills reported from outside: a venue's fill is a fact, so it is booked in any state of its order, once.

Known again with the same content it changes nothing; with other content it is a conflict. What should not have been
(more than was ordered, or of an order that was denied) is booked, flagged, and the account goes REDUCING.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import EventTime, Fill, Liquidity
from brokerage.domain.orders.order import OrderName, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.trading import reports
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.entry.contingencies import record_in
from brokerage.orders.rows import event_of
from brokerage.orders.wire import SIDES, name_from_proto
from brokerage.orders.working import load_orders
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.core.errors import Conflict, InvalidRequest, refused
from qmtl.wire.fields import known_enum, require_text
from qmtl.wire.instants import ns_from_proto

BATCH_MAX = 1_000
CURRENCY = re.compile(r"[A-Z0-9]{2,10}", re.ASCII)
LIQUIDITIES = {
    orderpb.LIQUIDITY_SIDE_UNSPECIFIED: Liquidity.TAKER,  # not told: the dearer of the two
    orderpb.LIQUIDITY_SIDE_MAKER: Liquidity.MAKER,
    orderpb.LIQUIDITY_SIDE_TAKER: Liquidity.TAKER,
}


@dataclass(frozen=True, slots=True)
class ReportedFill:
    """A reported fill: the order it names and the message, whose numbers need the instrument to be read."""

    name: OrderName
    venue: str
    side: Side
    trade_id: str
    message: reportedfillservicepb.ReportedFill


def report_from_proto(message: reportedfillservicepb.ReportedFill, index: int = 0) -> ReportedFill:
    """The parts of a reported fill that name things. Raises InvalidRequest by field."""
    where = f"fills[{index}]"
    return ReportedFill(
        name_from_proto(message.key, f"{where}.key"),
        require_text(message.venue, f"{where}.venue", 128),
        known_enum(SIDES, message.side, f"{where}.side"),
        require_text(message.trade_id, f"{where}.trade_id", 128),
        message,
    )


def book_fills(
    conn: Connection, market: MarketContext, reported: Sequence[ReportedFill], now_ns: int
) -> tuple[int, int]:
    """Book reports in one transaction: how many were new, and how many were known.

    Raises NotFound (E_ORDER_UNKNOWN), Conflict (E_FILL_CONFLICT), InvalidRequest (E_FILL_MISMATCH, E_DECIMAL); none
    leaves a trace.
    """
    if len(reported) > BATCH_MAX:
        raise refused("E_FIELD", "fills", f"{len(reported)} in one message", f"at most {BATCH_MAX}")
    booked = sum([_book(conn, market, report, now_ns) for report in reported])
    return booked, len(reported) - booked


def _book(conn: Connection, market: MarketContext, report: ReportedFill, now_ns: int) -> bool:
    owner = report.name.owner
    account = accounts_store.account(conn, owner.account, "" if owner.in_no_world else owner.world_id, lock=True)
    stored = orders_store.order(conn, report.name, market.instruments)
    record = stored.record
    fill = _fill(record, report, now_ns)
    if _known(conn, stored, report, fill):
        return False
    view, book = load_orders(conn, market, account, owner, record.id)
    time = EventTime(fill.venue_ns, now_ns)
    told = VenueReport(record.id, EventKind.FILLED, time, fill, reason=reports.REPORTED)
    event = reports.book_report(book, told)
    record_in(conn, market, account, (view, book), [event])
    return True


def _known(conn: Connection, stored: StoredOrder, report: ReportedFill, fill: Fill) -> bool:
    """Whether this trade is booked with the same content. Raises Conflict (E_FILL_CONFLICT) for other content.

    A trade with oneself has one id and two sides: an order of the other side says nothing about this one.
    """
    fills, events, order = t.fills.c, t.order_events, stored.record.order
    query = (
        sa.select(events)
        .join(t.fills, sa.and_(fills.order_id == events.c.order_id, fills.seq == events.c.seq))
        .join(t.orders, t.orders.c.order_id == fills.order_id)
        .where(fills.account == order.owner.account, fills.venue == report.venue, fills.symbol == order.symbol)
        .where(fills.trade_id == report.trade_id, t.orders.c.side == order.side.value)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return False
    told_when = report.message.HasField("venue_time")
    before = event_of(row).fill
    same = before is not None and (before == fill if told_when else _untimed(before) == _untimed(fill))
    if row.order_id == stored.record.id and same:
        return True
    raise Conflict(
        "E_FILL_CONFLICT",
        f"trade {report.trade_id} of {report.venue} is booked with other content",
        hint="nothing was booked from this message; report a correction under a trade id of its own",
        metadata={"account": report.name.owner.account, "venue": report.venue, "trade_id": report.trade_id},
    )


def _untimed(fill: Fill) -> tuple[str, int, int, int, str, Liquidity]:
    return fill.trade_id, fill.quantity, fill.price, fill.fee, fill.fee_currency, fill.liquidity


def _fill(record: OrderRecord, report: ReportedFill, now_ns: int) -> Fill:
    """The report in the instrument's scales. What they cannot hold exactly is refused, never rounded."""
    message, instrument = report.message, record.instrument
    if instrument is None:
        raise InvalidRequest("E_FILL_MISMATCH", f"order {report.name.client_order_id} has no known instrument")
    for field, told, want in (
        ("symbol", message.symbol, record.order.symbol),
        ("venue", report.venue, record.order.venue),
        ("side", report.side.name, record.order.side.name),
    ):
        if told != want:
            raise refused("E_FILL_MISMATCH", f"fills.{field}", repr(told), f"{want}, the order's")
    quantity = to_scaled(parse_decimal(message.quantity, "fills.quantity"), instrument.quantity_scale)
    price = instrument.price_units(parse_decimal(message.price, "fills.price"), "fills.price")
    if quantity <= 0 or price <= 0:
        raise refused("E_DECIMAL", "fills.quantity and fills.price", f"{quantity}, {price}", "more than 0")
    return Fill(
        report.trade_id,
        quantity,
        price,
        _fee(message, instrument),
        message.fee_currency or instrument.quote,
        known_enum(LIQUIDITIES, message.liquidity_side, "fills.liquidity_side"),
        ns_from_proto(message.venue_time, "fills.venue_time") if message.HasField("venue_time") else now_ns,
    )


def _fee(message: reportedfillservicepb.ReportedFill, instrument: Instrument) -> int:
    currency = message.fee_currency or instrument.quote
    if not CURRENCY.fullmatch(currency) and currency != instrument.base:
        raise refused("E_FILL_MISMATCH", "fills.fee_currency", message.fee_currency, "a currency")
    scale = instrument.quantity_scale if instrument.withholds(currency) else currency_scale(currency)
    return to_scaled(parse_decimal(message.fee or "0", "fills.fee"), scale)
