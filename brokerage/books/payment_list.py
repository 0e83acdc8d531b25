"""Payments as they are listed, each page from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.books.payments import payment_of
from brokerage.books.wire import payment_to_proto
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.market.context import MarketContext
from brokerage.schema import AnyRow
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.core.errors import refused
from qmtl.wire.fields import enum_from_proto
from qmtl.wire.instants import ns_from_proto
from qmtl.wire.paging import page_from_proto, page_of


def list_payments(
    conn: Connection, market: MarketContext, request: portfolioservicepb.ListPaymentsRequest
) -> portfolioservicepb.ListPaymentsResponse:
    """A page of payments in the order in which they were booked.

    Raises InvalidRequest (E_PAGE_TOKEN, E_ENUM, E_TIMESTAMP, E_RANGE), NotFound (E_INSTRUMENT_UNKNOWN).
    """
    page, paid = page_from_proto(request, (int,)), t.payments.c
    after = page.after[0] if page.after is not None else 0
    query = sa.select(t.payments).where(paid.account == request.account, paid.id > after, *_asked(request))
    rows = conn.execute(query.order_by(paid.id).limit(page.size + 1)).all()

    def shown(row: AnyRow) -> portfoliopb.Payment:
        payment = payment_of(row, market.instruments)
        return payment_to_proto(request.account, row.id, row.fill_sequence, payment, market.instruments)

    payments, info = page_of(rows, page, lambda row: (row.id,), shown)
    return portfolioservicepb.ListPaymentsResponse(payments=payments, page=info)


def _asked(request: portfolioservicepb.ListPaymentsRequest) -> Iterator[sa.ColumnElement[bool]]:
    paid, span = t.payments.c, request.range
    asked = {paid.world_id: request.world_id, paid.strategy_id: request.strategy_id, paid.symbol: request.symbol}
    yield from (column == text for column, text in asked.items() if text)
    if request.kind:
        kind = enum_from_proto(request.kind, portfoliopb.PaymentKind, "PAYMENT_KIND_", CashKind, "kind")
        yield paid.kind == kind.value
    start_ns = ns_from_proto(span.start, "range.start") if span.HasField("start") else None
    end_ns = ns_from_proto(span.end, "range.end") if span.HasField("end") else None
    if start_ns is not None and end_ns is not None and end_ns < start_ns:
        raise refused("E_RANGE", "range.end", span.end.ToJsonString(), "not before start")
    if start_ns is not None:
        yield paid.at_ns >= start_ns
    if end_ns is not None:
        yield paid.at_ns < end_ns
