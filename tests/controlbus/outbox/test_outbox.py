"""Outbox tables: revisions grow by one per type and key, rows leave in order, undone work leaves nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from controlbus.events.control_event import BODY_MAX, ControlEventDraft, decode
from controlbus.outbox.outbox import Outbox, RawDraft, outbox_tables
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import InvalidRequest
from qmtl.sql.database import Database

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OUTBOX = outbox_tables(sa.MetaData())


def policy(world: str, version: int = 1) -> ControlEventDraft:
    return ControlEventDraft(
        "worldservice", world, controlpb.PolicyUpdated(world_id=world, policy_version=version), NOW
    )


async def test_revisions_grow_by_one_per_type_and_key(db: Database) -> None:
    await asyncio.gather(*(db.write(partial(OUTBOX.append, draft=policy(world))) for world in ["a", "b", "a", "a"] * 5))
    signal = controlpb.ExitSignalEmitted(world_id="a", strategy_id="s")
    other = await db.write(lambda conn: OUTBOX.append(conn, ControlEventDraft("worldservice", "a", signal, NOW)))
    rows = await db.read(lambda conn: OUTBOX.unsent(conn, 100))
    by_key = {key: [row.revision for row in rows if row.key == key] for key in ("policy_updated/a", "policy_updated/b")}
    assert by_key == {"policy_updated/a": list(range(1, 16)), "policy_updated/b": list(range(1, 6))}
    assert other.revision == 1
    assert await db.read(lambda conn: OUTBOX.revision(conn, "policy_updated", "a")) == 15
    assert await db.read(lambda conn: OUTBOX.revision(conn, "policy_updated", "unknown")) == 0


async def test_events_of_one_act_are_numbered_in_their_order(db: Database) -> None:
    await db.write(lambda conn: OUTBOX.append(conn, policy("b")))
    drafts = [policy("b", 7), policy("a", 8), policy("b", 9)]
    events = await db.write(lambda conn: OUTBOX.append_all(conn, drafts))
    assert [(event.key, event.revision, event.policy_updated.policy_version) for event in events] == [
        ("b", 2, 7), ("a", 1, 8), ("b", 3, 9)
    ]  # fmt: skip
    rows = await db.read(lambda conn: OUTBOX.unsent(conn, 10))
    assert [decode(row.body) for row in rows[1:]] == events
    assert await db.write(lambda conn: OUTBOX.append_all(conn, [])) == []


async def test_an_undone_transaction_skips_no_revision(db: Database) -> None:
    def fails(conn: Connection) -> None:
        OUTBOX.append(conn, policy("a"))
        raise LookupError

    await db.write(lambda conn: OUTBOX.append(conn, policy("a")))
    with pytest.raises(LookupError):
        await db.write(fails)
    event = await db.write(lambda conn: OUTBOX.append(conn, policy("a")))
    assert event.revision == 2
    assert (await db.read(OUTBOX.backlog)).depth == 2


async def test_the_row_is_the_event_with_its_attributes(db: Database) -> None:
    event = await db.write(lambda conn: OUTBOX.append(conn, policy("w/ü.*", 7)))
    (row,) = await db.read(lambda conn: OUTBOX.unsent(conn, 10))
    assert decode(row.body) == event
    assert event.policy_updated.policy_version == 7
    assert row.msg_id == event.event_id
    assert row.subject == "qmtl.control.policy_updated.w.=C3=BC=2E=2A"
    assert row.headers["ce-id"] == event.event_id
    assert row.headers["ce-type"] == "qmtl.control.v1.policy_updated"
    assert row.headers["ce-time"] == "2026-01-02T03:04:05Z"


async def test_raw_rows_keep_the_order_of_their_key(db: Database) -> None:
    subject, headers = "qmtl.orders.w.a", {"h": "v"}
    drafts = [RawDraft(subject, key, f"m{i}", bytes([i]), headers) for i, key in enumerate(["b", "a", "b", "b", "a"])]

    def fill(conn: Connection) -> None:
        OUTBOX.append_raw(conn, [])
        OUTBOX.append_raw(conn, drafts[:3])
        OUTBOX.append_raw(conn, drafts[3:])

    await db.write(fill)
    rows = await db.read(lambda conn: OUTBOX.unsent(conn, 10))
    assert [(row.key, row.revision, row.body) for row in rows] == [
        ("raw/b", 1, b"\0"),
        ("raw/a", 1, b"\1"),
        ("raw/b", 2, b"\2"),
        ("raw/b", 3, b"\3"),
        ("raw/a", 2, b"\4"),
    ]
    assert {(row.subject, row.headers_json) for row in rows} == {(subject, '{"h":"v"}')}
    assert [row.key for row in await db.read(lambda conn: OUTBOX.unsent(conn, 10, without=["raw/b"]))] == ["raw/a"] * 2
    with pytest.raises(IntegrityError):
        await db.write(lambda conn: OUTBOX.append_raw(conn, drafts[:1]))


async def test_sent_rows_leave_the_backlog_and_are_pruned_later(db: Database) -> None:
    await db.write(lambda conn: [OUTBOX.append(conn, policy("a")) for _ in range(3)] and None)
    rows = await db.read(lambda conn: OUTBOX.unsent(conn, 10))
    await db.write(lambda conn: OUTBOX.mark_sent(conn, {row.id for row in rows[:2]}, 1000))
    assert [row.revision for row in await db.read(lambda conn: OUTBOX.unsent(conn, 10))] == [3]
    assert await db.write(lambda conn: OUTBOX.prune(conn, 1000)) == 0
    assert await db.write(lambda conn: OUTBOX.prune(conn, 1001)) == 2
    backlog = await db.read(OUTBOX.backlog)
    assert backlog.depth == 1
    assert backlog.oldest_ns > 0


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (ControlEventDraft("s", "k", controlpb.ControlEvent(), NOW), "E_BUS_TYPE"),
        (policy(""), "E_BUS_KEY"),
        (ControlEventDraft("s", "k", controlpb.PolicyUpdated(checksum="x" * BODY_MAX), NOW), "E_BUS_BODY_TOO_LARGE"),
    ],
)
async def test_what_the_broker_would_refuse_is_refused_at_the_door(
    sqlite_db: Database, draft: ControlEventDraft, reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        await sqlite_db.write(lambda conn: OUTBOX.append(conn, draft))
    assert (await sqlite_db.read(OUTBOX.backlog)).depth == 0


async def test_metadata_and_migration_agree(db: Database) -> None:
    metadata = sa.MetaData()
    outbox: Outbox = outbox_tables(metadata)

    def differences(conn: Connection) -> list[str]:
        inspector = sa.inspect(conn)
        found = []
        for table in (outbox.rows, outbox.keys):
            real = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            if real != {column.name: column.nullable for column in table.columns}:
                found.append(table.name)
            if {index["name"] for index in inspector.get_indexes(table.name)} < {index.name for index in table.indexes}:
                found.append(f"{table.name} indexes")
        return found

    assert await db.read(differences) == []
