"""Orders, events and fills as they are listed, each page from one snapshot."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.accounts.account import Account
from brokerage.market.context import MarketContext
from brokerage.orders import store
from brokerage.orders.replies import event_to_proto, fill_to_proto, status_to_proto
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, refused

PAGE_DEFAULT = 100
PAGE_MAX = 1_000
EVENTS_MAX = 500


def page_of(page: commonpb.PageRequest) -> tuple[int, int | None]:
    """Rows wanted and where the page before ended. Raises InvalidRequest (E_PAGE)."""
    size = page.page_size or PAGE_DEFAULT
    if size > PAGE_MAX:
        raise refused("E_PAGE", "page.page_size", str(size), f"at most {PAGE_MAX}")
    if page.page_token and not page.page_token.isdecimal():
        raise refused("E_PAGE", "page.page_token", repr(page.page_token[:40]), "a next_page_token of this listing")
    return size, int(page.page_token) if page.page_token else None


def list_orders(
    conn: Connection, market: MarketContext, request: servicepb.ListOrdersRequest
) -> servicepb.ListOrdersResponse:
    """A page of orders, newest first."""
    size, before = page_of(request.page)
    table = t.orders.c
    where = [table.account == request.account]
    if request.world_id:
        where.append(table.world_id == request.world_id)
    if request.strategy_id:
        where.append(table.strategy_id == request.strategy_id)
    if request.open_only:
        where.append(table.open)
    if before is not None:
        where.append(table.created_sequence < before)
    found = store.load_orders(conn, market.instruments, *where, limit=size, newest=True)
    token = ""
    if len(found) == size:
        last = sa.select(table.created_sequence).where(table.order_id == found[-1].record.id)
        token = str(conn.execute(last).scalar_one())
    return servicepb.ListOrdersResponse(
        statuses=[status_to_proto(stored) for stored in found], page=commonpb.PageInfo(next_page_token=token)
    )


def list_fills(
    conn: Connection, market: MarketContext, request: servicepb.ListFillsRequest
) -> servicepb.ListFillsResponse:
    """A page of fills in order."""
    size, after = page_of(request.page)
    start = max(request.after_sequence, after or 0)
    found = store.fills_after(conn, request.account, request.strategy_id, start, size, market.instruments)
    fills = [
        fill_to_proto(stored.record.order, stored.record.instrument, event, sequence)
        for stored, event, sequence in found
        if stored.record.instrument is not None
    ]
    token = str(found[-1][2]) if len(found) == size else ""
    return servicepb.ListFillsResponse(fills=fills, page=commonpb.PageInfo(next_page_token=token))


def order_snapshot(
    conn: Connection, market: MarketContext, account: Account, strategy_id: str
) -> servicepb.OrderSnapshot:
    """Open orders and the end of the log, from one transaction."""
    statuses = [
        status_to_proto(stored)
        for stored in store.open_orders(conn, market.instruments, account.account)
        if strategy_id in ("", stored.record.order.owner.strategy_id)
    ]
    return servicepb.OrderSnapshot(statuses=statuses, sequence=account.event_sequence)


def order_events(
    conn: Connection, market: MarketContext, account_name: str, strategy_id: str, sequence: int
) -> tuple[list[brokerpb.OrderEvent], int]:
    """The next events after a sequence, and the sequence read up to."""
    found, reached = store.events_after(conn, account_name, sequence, strategy_id, EVENTS_MAX, market.instruments)
    messages = [event_to_proto(stored.record.order, stored.record.instrument, event, at) for stored, event, at in found]
    return messages, reached


def check_resume(account: Account, sequence: int) -> None:
    """Raises InvalidRequest (E_RESUME_UNKNOWN) for a place the log has not reached."""
    if sequence > account.event_sequence:
        raise InvalidRequest(
            "E_RESUME_UNKNOWN",
            f"after_sequence is {sequence}, the log of {account.account} ends at {account.event_sequence}",
            hint="start over with after_sequence 0",
        )
