"""What time moved of an account's money, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import cash
from brokerage.books import store
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Payment

Numbered = tuple[int, Payment]
"""A payment, and how many fills the account had before it."""


def save_payments(conn: Connection, account_name: str, view: AccountView, paid: Sequence[Numbered]) -> None:
    """Append payments, and store the cash and the positions that they moved."""
    for before, payment in paid:
        owner = payment.owner or Owner(account_name, "", "")
        values = {
            "account": account_name,
            "fill_sequence": before,
            "world_id": owner.world_id,
            "strategy_id": owner.strategy_id,
            "symbol": payment.symbol,
            "kind": payment.kind.value,
            "currency": payment.currency,
            "amount": payment.amount,
            "at_ns": payment.at_ns,
            "ratio": "" if payment.split is None else str(payment.split[0]),
            "price": "" if payment.split is None else str(payment.split[1]),
        }
        conn.execute(sa.insert(t.payments).values(values))
        cash.move_cash(conn, account_name, payment.currency, payment.amount)
        if payment.owner is not None and payment.moves_position:
            position = view.book(payment.owner).ledger.position(payment.symbol)
            store.save_position(conn, payment.owner, payment.symbol, position)


def load_payments(conn: Connection, account_name: str) -> list[Numbered]:
    """All payments of an account, in order."""
    rows = conn.execute(sa.select(t.payments).where(t.payments.c.account == account_name).order_by(t.payments.c.id))
    found: list[Numbered] = []
    for row in rows:
        owner = Owner(account_name, row.world_id, row.strategy_id) if row.symbol else None
        kind = CashKind(row.kind)
        split = (Fraction(row.ratio), int(row.price)) if row.ratio else None
        paid = Payment(owner, row.symbol, kind, row.currency, row.amount, row.at_ns, split=split)
        found.append((row.fill_sequence, paid))
    return found
