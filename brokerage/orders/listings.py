"""Orders, events and fills as they are listed, each page from one snapshot."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.stored import StoredOrder
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.store import OrdersOf
from brokerage.orders.wire import event_to_proto, fill_to_proto, status_to_proto
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.core.errors import InvalidRequest
from qmtl.wire.fields import require_int64
from qmtl.wire.paging import page_from_proto, page_of

EVENTS_MAX = 500


def list_orders(
    conn: Connection, market: MarketContext, request: orderservicepb.ListOrdersRequest
) -> orderservicepb.ListOrdersResponse:
    """A page of orders, newest first."""
    page = page_from_proto(request, (int,))
    of = OrdersOf(request.account, request.world_id, request.strategy_id)
    found = store.page_of_orders(conn, market.instruments, of, page, request.symbol, request.open_only)
    statuses, info = page_of(found, page, lambda row: (row[1],), lambda row: status_to_proto(row[0]))
    return orderservicepb.ListOrdersResponse(statuses=statuses, page=info)


def list_fills(
    conn: Connection, market: MarketContext, request: orderservicepb.ListFillsRequest
) -> orderservicepb.ListFillsResponse:
    """A page of fills in order.

    Raises InvalidRequest (E_FIELD, E_PAGE_TOKEN), NotFound (E_INSTRUMENT_UNKNOWN): the scales of one are not known.
    """
    page = page_from_proto(request, (int,))
    after = require_int64(request.after_account_fill_number, "after_account_fill_number")
    start = max(after, page.after[0] if page.after is not None else 0)
    of = OrdersOf(request.account, request.world_id, request.strategy_id)
    found = store.fills_after(conn, of, start, page.size + 1, market.instruments)
    shown, info = page_of(found, page, lambda row: (row[2],), _fill)
    return orderservicepb.ListFillsResponse(fills=shown, page=info)


def _fill(row: tuple[StoredOrder, OrderEvent, int]) -> orderpb.Fill:
    stored, event, number = row
    order, instrument = stored.record.order, stored.record.instrument
    assert instrument is not None, "an order that filled is not read without one"
    return fill_to_proto(order, instrument, event, number)


def open_orders(
    conn: Connection, market: MarketContext, account: Account, of: OrdersOf
) -> tuple[list[orderpb.OrderStatus], int]:
    """Open orders and the end of the log, from one transaction."""
    statuses = [
        status_to_proto(stored)
        for stored in store.open_orders(conn, market.instruments, account.account)
        if of.has(stored.record.order.owner)
    ]
    return statuses, account.event_sequence


def order_events(
    conn: Connection, market: MarketContext, of: OrdersOf, number: int
) -> tuple[list[orderpb.OrderEvent], int]:
    """The next events after a number, and the number read up to."""
    found, reached = store.events_after(conn, of, number, EVENTS_MAX, market.instruments)
    messages = [event_to_proto(stored.record.order, stored.record.instrument, event, at) for stored, event, at in found]
    return messages, reached


def check_resume(account: Account, number: int) -> None:
    """Raises InvalidRequest (E_RESUME_UNKNOWN) for a place the log has not reached."""
    if number > account.event_sequence:
        raise InvalidRequest(
            "E_RESUME_UNKNOWN",
            f"after_account_event_number is {number}, the log of {account.account} ends at {account.event_sequence}",
            hint="start over with after_account_event_number 0",
        )
