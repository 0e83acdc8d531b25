"""What shares of open netted orders may still bring their owners: counted in their books, stored with the orders."""

from __future__ import annotations

import json
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import NETTING, Owner, Side
from brokerage.domain.orders.totals import OpenOrderTotals
from brokerage.domain.risk.account_view import AccountView
from qmtl.core.decimals import to_scaled


def reserve(conn: Connection, view: AccountView, account: str) -> None:
    """Count what is left of every share, at the limit of its order."""
    heads = t.orders.c
    wanted = (heads.account == account, heads.open, heads.strategy_id == NETTING)
    query = sa.select(heads.symbol, heads.shares, heads.booked, heads.limit_price).where(*wanted)
    for row in conn.execute(query):
        instrument = view.instruments.find(row.symbol)
        if instrument is None:
            continue
        shares = json.loads(row.shares)
        booked = json.loads(row.booked) if row.booked else [0] * len(shares)
        for (world_id, strategy_id, written, _, reduces), got in zip(shares, booked, strict=True):
            units = to_scaled(Decimal(written), instrument.quantity_scale)
            left, side = abs(units) - abs(got), Side.BUY if units > 0 else Side.SELL
            priced = 0 if reduces else instrument.notional(row.limit_price, left)
            more = OpenOrderTotals(1, left, 0 if reduces else 1, priced, 0, left if reduces else 0)
            view.book(Owner(account, world_id, strategy_id)).reserve(row.symbol, side, more)
