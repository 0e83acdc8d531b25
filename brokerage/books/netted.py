"""What shares of open netted orders may still bring their owners: counted in their books, stored with the orders."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import NETTING, Owner, Side
from brokerage.domain.orders.totals import OpenOrderTotals
from brokerage.domain.risk.account_view import AccountView
from brokerage.schema import AnyRow
from qmtl.core.decimals import to_scaled
from qmtl.sql.statements.prepared import Later, Prepared

_HEADS = t.orders.c
_OPEN = Prepared(
    sa.select(_HEADS.account, _HEADS.symbol, _HEADS.shares, _HEADS.booked, _HEADS.limit_price).where(
        _HEADS.account.in_(sa.bindparam("accounts", expanding=True)), _HEADS.open, _HEADS.strategy_id == NETTING
    )
)


def ask(conn: Connection, accounts: Collection[str]) -> Later[Iterable[AnyRow]]:
    """The open netted orders of some accounts, heard later."""
    return _OPEN.ask(conn, {"accounts": sorted(accounts)}).rows if accounts else tuple


def reserve(views: Mapping[str, AccountView], found: Iterable[AnyRow], world_id: str = "") -> None:
    """Count what is left of every share in the views of its accounts, at the limit of its order; with a world, of its
    shares only.
    """
    for row in found:
        view = views[row.account]
        instrument = view.instruments.find(row.symbol)
        if instrument is None:
            continue
        shares = json.loads(row.shares)
        booked = json.loads(row.booked) if row.booked else [0] * len(shares)
        for (of_world, strategy_id, written, _, reduces), got in zip(shares, booked, strict=True):
            if world_id not in ("", of_world):
                continue
            units = to_scaled(Decimal(written), instrument.quantity_scale)
            left, side = abs(units) - abs(got), Side.BUY if units > 0 else Side.SELL
            priced = 0 if reduces else instrument.notional(row.limit_price, left)
            more = OpenOrderTotals(1, left, 0 if reduces else 1, priced, 0, left if reduces else 0)
            view.book(Owner(row.account, of_world, strategy_id)).reserve(row.symbol, side, more)
