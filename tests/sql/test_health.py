"""A store's health is a committed row: full, read-only and damaged stores are seen, and well ones again."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from qmtl.core.clock import SystemClock
from qmtl.core.errors import DataLoss, Unavailable
from qmtl.rpc.outages import Outages
from qmtl.rpc.telemetry.metrics import Metrics
from qmtl.sql.database import Database, sqlite_url
from tests.sql.test_database import note
from tests.support.postgres import OwnPostgres
from tests.support.waiting import eventually


async def migrated(url: str) -> Database:
    db = Database(url)
    await db.migrate("worldservice:migrations")
    return db


async def test_a_store_that_takes_a_row_is_well(database_url: str) -> None:
    db = await migrated(database_url)
    try:
        assert [await db.check(), await db.check()] == ["", ""]
        count = await db.read(lambda conn: conn.execute(text("SELECT count(*) FROM qmtl_store_check")).scalar_one())
        assert count == 1
    finally:
        await db.close()


async def test_a_full_store_is_unavailable_and_well_when_there_is_space_again(tmp_path: Path) -> None:
    db = await migrated(sqlite_url(tmp_path / "s.db"))
    try:
        pages = await db.read(lambda conn: conn.exec_driver_sql("PRAGMA page_count").scalar_one())
        await db.write(lambda conn: conn.exec_driver_sql("CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT)"))
        await db.write(lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}").close())
        with pytest.raises(Unavailable, match="full"):
            await db.write(note("1", "x" * 100_000))
        assert await db.check() == ""  # a row that replaces itself still fits
        await db.write(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count=1000000").close())
        await db.write(note("1", "x" * 100_000))
    finally:
        await db.close()


async def test_a_store_that_became_read_only_is_unavailable_and_well_again(tmp_path: Path) -> None:
    db = await migrated(sqlite_url(tmp_path / "s.db"))
    try:
        await db.write(lambda conn: conn.exec_driver_sql("PRAGMA query_only=ON").close())
        with pytest.raises(Unavailable, match="readonly"):
            await db.check()
    finally:
        await db.close()


async def test_a_damaged_page_is_refused_by_name_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    db = await migrated(sqlite_url(path))
    await db.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4096)  # the first pages are read when it is opened, this one only by who looks at all
        file.write(b"\xff" * 512)
    db = Database(sqlite_url(path))
    try:
        with pytest.raises(DataLoss, match=r"E_DATABASE_CORRUPT.*s\.db"):
            await db.migrate("worldservice:migrations")
    finally:
        await db.close()


async def test_a_large_file_is_used_while_its_pages_are_read_and_what_is_found_is_an_outage(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    db = await migrated(sqlite_url(path))
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
    filling = f"CREATE TABLE filling AS {numbers} SELECT i, hex(randomblob(400)) FROM n"
    await db.write(lambda conn: conn.exec_driver_sql(filling).close())
    await db.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 8192)
        file.write(b"\xff" * 4096)
    db = Database(sqlite_url(path), pages_before_use_max=4096)
    try:
        await db.migrate("worldservice:migrations")  # not refused: it is in use before it is read whole

        async def is_found() -> bool:
            return re.search(r"damaged: .*s\.db: .*(malformed|[Pp]age)", await db.check()) is not None

        await eventually(is_found, timeout_s=10)
    finally:
        await db.close()
    whole = Database(sqlite_url(tmp_path / "other.db"), pages_before_use_max=0)
    await whole.migrate("worldservice:migrations")
    assert await whole.check() == ""
    await whole.close()


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(DataLoss, match=r"E_DATABASE_CORRUPT.*s\.db"):
        Database(sqlite_url(path))


@pytest.mark.timeout(180)
async def test_a_postgresql_that_hangs_or_stops_is_seen_and_well_again_by_itself(own_postgres: OwnPostgres) -> None:
    db = await migrated(own_postgres.url)
    outages = Outages(SystemClock(), Metrics())
    task = asyncio.create_task(outages.watch("store", db.check, vital=True))
    try:
        await db.check()
        await asyncio.to_thread(own_postgres.pause)
        await eventually(lambda: "store" in outages.current(), timeout_s=5)
        await asyncio.to_thread(own_postgres.go_on)
        await eventually(lambda: "store" not in outages.current(), timeout_s=15)
        await asyncio.to_thread(own_postgres.stop)
        await eventually(lambda: "store" in outages.current(), timeout_s=5)
        await asyncio.to_thread(own_postgres.start)
        await eventually(lambda: "store" not in outages.current(), timeout_s=15)
    finally:
        own_postgres.go_on()
        task.cancel()
        await db.close()
