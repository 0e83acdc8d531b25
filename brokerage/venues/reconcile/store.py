"""What is known of a venue's own names: its numbers of orders, how far its trades were read, and transfers."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import audit
from brokerage import schema as t
from brokerage.domain.orders.events import Fill
from brokerage.fences.intents import INTENT
from brokerage.orders.rows import event_of

UNBOOKED = "trade_not_booked"
ID_LENGTH_MIN = 16  # 80 bits: what is shorter is not ours
ID_LENGTH_MAX = 32


def order_of(conn: Connection, account_name: str, symbol: str, number: str) -> str | None:
    """The order that a venue has under a number of its own."""
    links = t.venue_links.c
    query = sa.select(links.order_id).where(
        links.account == account_name, links.symbol == symbol, links.number == number
    )
    found: str | None = conn.execute(query).scalar_one_or_none()
    return found


def sent_as(conn: Connection, account_name: str, client_id: str) -> str | None:
    """The order that was sent under an id; a venue may take the beginning of ours only."""
    if len(client_id) < ID_LENGTH_MIN:
        return None
    # a range, which the index answers; z is the last letter of the alphabet that our ids are written in
    same = INTENT.venue_order_id.between(client_id, client_id + "z" * ID_LENGTH_MAX)
    query = sa.select(INTENT.order_id, INTENT.venue_order_id).where(INTENT.account == account_name, same)
    return next((row.order_id for row in conn.execute(query) if row.venue_order_id.startswith(client_id)), None)


def link(conn: Connection, account_name: str, symbol: str, number: str, order_id: str) -> None:
    """The venue has an order under a number of its own."""
    values = {"account": account_name, "symbol": symbol, "number": number, "order_id": order_id}
    conn.execute(sa.insert(t.venue_links).values(values))


def known_fill(conn: Connection, trade_id: str, order_id: str) -> Fill | None:
    """The fill of an order that is booked under a trade's id, which is unique within the order."""
    fills, events = t.fills.c, t.order_events
    query = (
        sa.select(events)
        .join(t.fills, sa.and_(fills.order_id == events.c.order_id, fills.seq == events.c.seq))
        .where(fills.order_id == order_id, fills.trade_id == trade_id)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else event_of(row).fill


def tell_unbooked(conn: Connection, account_name: str, what: str, now_ns: int) -> None:
    """Keep in the audit log, once, that a trade could not be booked."""
    log = t.audit_log.c
    same = (log.act == UNBOOKED, log.subject == account_name, log.detail == what)
    if conn.execute(sa.select(log.id).where(*same).limit(1)).first() is None:
        audit.record(conn, now_ns, ("brokerage", ""), UNBOOKED, account_name, what)


def read_up_to(conn: Connection, account_name: str) -> int:
    """The time of the last trade that was booked, in ms; 0: none."""
    query = sa.select(t.venue_cursors.c.read_ms).where(t.venue_cursors.c.account == account_name)
    return int(conn.execute(query).scalar_one_or_none() or 0)


def save_read(conn: Connection, account_name: str, read_ms: int) -> None:
    """The venue's trades were read up to a time."""
    table = t.venue_cursors
    found = sa.update(table).where(table.c.account == account_name)
    if not conn.execute(found.values(read_ms=read_ms)).rowcount:
        conn.execute(sa.insert(table).values(account=account_name, read_ms=read_ms))


def begun_ms(conn: Connection, account_name: str) -> int:
    """What the venue did before is not ours to book: when the account was opened at it, in ms; 0: all of it is."""
    query = (
        sa.select(t.accounts.c.created_ns)
        .join(t.venue_states, t.venue_states.c.account == t.accounts.c.account)
        .where(t.accounts.c.account == account_name)
    )
    return int(conn.scalar(query) or 0) // 1_000_000


def paid_up_to(conn: Connection, account_name: str) -> int:
    """The time of the last payment that was booked, in ms; 0: none."""
    query = sa.select(sa.func.max(t.venue_payments.c.at_ms)).where(t.venue_payments.c.account == account_name)
    return int(conn.execute(query).scalar_one_or_none() or 0)


def keep_payment(conn: Connection, account_name: str, number: str, at_ms: int) -> bool:
    """Remember a payment by the venue's number of it; whether it is new."""
    paid = t.venue_payments
    known = sa.select(paid.c.at_ms).where(paid.c.account == account_name, paid.c.number == number)
    if conn.execute(known).one_or_none() is not None:
        return False
    conn.execute(sa.insert(paid).values(account=account_name, number=number, at_ms=at_ms))
    return True
