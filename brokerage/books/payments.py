"""What time moved of an account's money, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import cash
from brokerage.books import store
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import Conversion
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Payment
from brokerage.schema import AnyRow
from qmtl.core.errors import NotFound

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
            **_terms(payment),
        }
        conn.execute(sa.insert(t.payments).values(values))
        cash.move_cash(conn, account_name, payment.currency, payment.amount)
        for symbol in payment.moved_symbols if payment.owner is not None else ():
            position = view.book(owner).ledger.position(symbol)
            store.save_position(conn, owner, symbol, position)


def _terms(payment: Payment) -> dict[str, str]:
    """What a payment did to the shares, as columns; empty: nothing."""
    found = dict.fromkeys(("ratio", "price", "converted_into", "per_share"), "")
    if payment.split is not None:
        return found | {"ratio": str(payment.split[0]), "price": str(payment.split[1])}
    terms = payment.conversion
    if terms is None:
        return found
    into = "" if terms.into is None else terms.into.symbol
    made = {"ratio": str(terms.ratio), "price": str(terms.price), "per_share": str(terms.per_share)}
    return found | made | {"converted_into": into}


def load_payments(conn: Connection, account_name: str, instruments: Instruments) -> list[Numbered]:
    """All payments of an account, in order. Raises NotFound (E_INSTRUMENT_UNKNOWN) where shares became some that have
    no properties.
    """
    rows = conn.execute(sa.select(t.payments).where(t.payments.c.account == account_name).order_by(t.payments.c.id))
    return [(row.fill_sequence, payment_of(row, instruments)) for row in rows]


def payment_of(row: AnyRow, instruments: Instruments) -> Payment:
    """A stored payment. Raises as `load_payments`."""
    owner = Owner(row.account, row.world_id, row.strategy_id) if row.symbol else None
    kind = CashKind(row.kind)
    paid = Payment(owner, row.symbol, kind, row.currency, row.amount, row.at_ns)
    if kind is CashKind.SPLIT:
        return replace(paid, split=(Fraction(row.ratio), int(row.price)))
    if not row.per_share:
        return paid
    into = instruments.find(row.converted_into) if row.converted_into else None
    if row.converted_into and into is None:
        message = f"{row.symbol} became {row.converted_into}, which the settings no longer name"
        raise NotFound("E_INSTRUMENT_UNKNOWN", message)
    return replace(paid, conversion=Conversion(into, Fraction(row.ratio), int(row.per_share), int(row.price)))
