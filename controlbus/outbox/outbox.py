"""The transactional outbox: state and the event that tells of it commit together, a relay publishes afterwards.

    metadata = MetaData()
    outbox = outbox_tables(metadata)                   # tables `outbox` and `outbox_keys`
    # migrations/versions/0001_initial.py: from controlbus.outbox.outbox import create_tables; create_tables(op)

    def change(conn):                                  # inside db.write
        conn.execute(update(worlds)...)
        return outbox.append(conn, ControlEventDraft("worldservice", world_id, payload, now))

Revisions are allocated by updating the key's row in the same transaction, so commits of one key serialise and a
revision is never skipped. Nothing here talks to the broker.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection, MetaData, Table

from controlbus.events.control_event import BODY_MAX, ControlEventDraft, cloud_headers, number, type_of_payload
from controlbus.jetstream.subjects import control_subject
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.sql.database import signal
from qmtl.sql.statements.prepared import Prepared

if TYPE_CHECKING:
    from alembic.operations import Operations

SIGNAL = "outbox"
PRUNE_MAX = 1000
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER is a rowid in SQLite

_TAKING = (
    "INSERT INTO outbox_keys (key, revision) VALUES (:key, :count) "
    "ON CONFLICT (key) DO UPDATE SET revision = outbox_keys.revision + :count"
)
_TAKE, _NEXT = Prepared(_TAKING), Prepared(f"{_TAKING} RETURNING revision")
_COLUMNS = "INSERT INTO outbox (key, revision, subject, msg_id, headers, body, created_ns) "
_INSERT = Prepared(_COLUMNS + "VALUES (:key, :revision, :subject, :msg_id, :headers, :body, :created_ns)")
_INSERT_BACK = Prepared(  # `back` places before the last that was taken: a number nobody here waits to know
    _COLUMNS
    + "VALUES (:key, (SELECT revision FROM outbox_keys WHERE key = :key) - :back, :subject, :msg_id, :headers, "
    ":body, :created_ns)"
)
_UNSENT = Prepared(
    "SELECT id, key, revision, subject, msg_id, headers, body FROM outbox WHERE sent_ns IS NULL ORDER BY id LIMIT :most"
)
_BACKLOG = Prepared("SELECT count(*) AS depth, min(created_ns) AS oldest FROM outbox WHERE sent_ns IS NULL")
_MARK = Prepared(
    sa.text("UPDATE outbox SET sent_ns = :now WHERE id IN :ids").bindparams(sa.bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Row:
    """One message that waits for the broker. Rows of one key leave in the order of their revisions."""

    id: int
    key: str
    revision: int
    subject: str
    msg_id: str
    headers_json: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        found: dict[str, str] = orjson.loads(self.headers_json)
        return found


@dataclass(frozen=True, slots=True)
class RawDraft:
    """Bytes for another stream (INGEST, ORDERS, FILLS). Drafts of one `key` are published in order; `msg_id` is unique
    in its store."""

    subject: str
    key: str
    msg_id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: how many rows, and when the oldest was written (ns since the epoch, 0 if none)."""

    depth: int
    oldest_ns: int


@dataclass(frozen=True, slots=True)
class Outbox:
    """The two tables in one service's metadata, and what may be done with them inside a transaction."""

    rows: Table
    keys: Table

    def append(self, conn: Connection, draft: ControlEventDraft) -> controlpb.ControlEvent:
        """Number the draft (previous revision of its type and key, plus one) and queue it; published after the commit.

        Raises InvalidRequest for a payload that is no control payload, an empty key or a body above 900 KiB.
        """
        (event,) = self.append_all(conn, [draft])
        return event

    def append_all(self, conn: Connection, drafts: Sequence[ControlEventDraft]) -> list[controlpb.ControlEvent]:
        """As `append`, of the events of one act, in order. Raises as it does."""
        keys = [f"{type_of_payload(draft.payload)}/{draft.key}" for draft in drafts]
        counts = Counter(keys)
        revisions = {key: self._next(conn, key, counts[key]) - counts[key] for key in sorted(counts)}
        events, rows = [], []
        for key, draft in zip(keys, drafts, strict=True):
            revisions[key] += 1
            event = number(draft, revisions[key])
            subject = control_subject(type_of_payload(draft.payload), draft.key)
            headers = cloud_headers(event, draft.traceparent)
            body = event.SerializeToString(deterministic=True)
            row = _row(key, subject, event.event_id, body, headers)
            rows.append({**row, "revision": event.revision})
            events.append(event)
        self._insert(conn, _INSERT, rows)
        return events

    def append_raw(self, conn: Connection, drafts: Sequence[RawDraft]) -> None:
        """Queue bytes for other streams, in order. Raises InvalidRequest for a body above 900 KiB and IntegrityError
        for a `msg_id` that is known."""
        counts = Counter(draft.key for draft in drafts)
        for key in sorted(counts):
            _TAKE.send(conn, {"key": f"raw/{key}", "count": counts[key]})
        rows = []
        for draft in drafts:
            counts[draft.key] -= 1
            row = _row(f"raw/{draft.key}", draft.subject, draft.msg_id, draft.body, draft.headers)
            rows.append({**row, "back": counts[draft.key]})
        self._insert(conn, _INSERT_BACK, rows)

    def revision(self, conn: Connection, kind: str, key: str) -> int:
        """The last revision of a payload type and key, 0 if none: what a snapshot reports beside the state."""
        query = sa.select(self.keys.c.revision).where(self.keys.c.key == f"{kind}/{key}")
        return conn.execute(query).scalar_one_or_none() or 0

    def state(self, conn: Connection, draft: ControlEventDraft) -> controlpb.ControlEvent:
        """A draft of the present state in the envelope of its key's last event; revision 0 while there was none."""
        return number(draft, self.revision(conn, type_of_payload(draft.payload), draft.key))

    def unsent(self, conn: Connection, limit: int, without: Collection[str] = ()) -> list[Row]:
        """The oldest unsent rows, a prefix of each key's order.

        Ids of one key grow with its revisions, because the key's row is locked before the id is taken; ids of
        different keys may commit in any order, so this never reads "after a cursor".
        """
        if not without:
            return [Row(*found) for found in _UNSENT.rows(conn, {"most": limit})]
        c = self.rows.c
        query = sa.select(c.id, c.key, c.revision, c.subject, c.msg_id, c.headers, c.body)
        query = query.where(c.sent_ns.is_(None), c.key.not_in(sorted(without))).order_by(c.id).limit(limit)
        return [Row(*found) for found in conn.execute(query)]

    def mark_sent(self, conn: Connection, ids: Collection[int], now_ns: int) -> None:
        """Record that the broker acknowledged these rows."""
        _MARK.send(conn, {"now": now_ns, "ids": sorted(ids)})

    def prune(self, conn: Connection, before_ns: int) -> int:
        """Delete at most 1000 rows sent before an instant; returns how many."""
        table = self.rows
        old = sa.select(table.c.id).where(table.c.sent_ns < before_ns).order_by(table.c.sent_ns).limit(PRUNE_MAX)
        return conn.execute(sa.delete(table).where(table.c.id.in_(old.scalar_subquery()))).rowcount

    def backlog(self, conn: Connection) -> Backlog:
        """Depth and age of what waits."""
        depth, oldest = _BACKLOG.rows(conn).one()
        return Backlog(depth, oldest or 0)

    def _next(self, conn: Connection, order_key: str, count: int) -> int:
        """Take so many places in a key's order; the last of them."""
        return int(_NEXT.rows(conn, {"key": order_key, "count": count}).scalar_one())

    def _insert(self, conn: Connection, insert: Prepared, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            insert.send_each(conn, rows)
            signal(conn, SIGNAL)


def _row(order_key: str, subject: str, msg_id: str, body: bytes, headers: Mapping[str, str]) -> dict[str, object]:
    if len(body) > BODY_MAX:
        raise InvalidRequest(
            "E_BUS_BODY_TOO_LARGE",
            f"a message of {len(body)} bytes for {subject}",
            violations=[Violation("body", f"{len(body)} bytes", f"at most {BODY_MAX} bytes")],
        )
    return {
        "key": order_key,
        "subject": subject,
        "msg_id": msg_id,
        "headers": orjson.dumps(dict(headers)).decode(),
        "body": body,
        "created_ns": time.time_ns(),
    }


def outbox_tables(metadata: MetaData) -> Outbox:
    """Declare the tables in a service's metadata; its migration 0001 creates them with `create_tables`."""
    rows = Table("outbox", metadata, *_row_columns(), sa.UniqueConstraint("key", "revision", name="outbox_order"))
    unsent, sent = rows.c.sent_ns.is_(None), rows.c.sent_ns.is_not(None)
    sa.Index("outbox_unsent", rows.c.id, sqlite_where=unsent, postgresql_where=unsent)
    sa.Index("outbox_sent", rows.c.sent_ns, sqlite_where=sent, postgresql_where=sent)
    keys = Table(
        "outbox_keys",
        metadata,
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("revision", _BIG, nullable=False),
    )
    return Outbox(rows, keys)


def create_tables(op: Operations) -> None:
    """For a service's first Alembic revision. Frozen: a later change gets a function of its own."""
    order = sa.UniqueConstraint("key", "revision", name="outbox_order")
    op.create_table("outbox", *_row_columns(), order)
    unsent, sent = sa.text("sent_ns IS NULL"), sa.text("sent_ns IS NOT NULL")
    op.create_index("outbox_unsent", "outbox", ["id"], sqlite_where=unsent, postgresql_where=unsent)
    op.create_index("outbox_sent", "outbox", ["sent_ns"], sqlite_where=sent, postgresql_where=sent)
    op.create_table(
        "outbox_keys", sa.Column("key", sa.Text, primary_key=True), sa.Column("revision", _BIG, nullable=False)
    )


def _row_columns() -> list[sa.Column[int] | sa.Column[str] | sa.Column[bytes]]:
    return [
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("msg_id", sa.Text, nullable=False, unique=True),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_ns", _BIG, nullable=False),
        sa.Column("sent_ns", _BIG, nullable=True),
    ]
