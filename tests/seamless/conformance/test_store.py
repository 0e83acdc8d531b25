"""Conformance reports in SQL: the newest of each dataset is kept."""

from __future__ import annotations

from qmtl.sql.database import Database
from seamless.conformance import store as conformance_store


async def test_the_newest_report_is_kept(db: Database) -> None:
    await db.write(lambda conn: conformance_store.save_report(conn, "d", b"one"))
    await db.write(lambda conn: conformance_store.save_report(conn, "d", b"two"))
    assert await db.read(lambda conn: conformance_store.load_report(conn, "d")) == b"two"
    assert await db.read(lambda conn: conformance_store.load_report(conn, "e")) is None
