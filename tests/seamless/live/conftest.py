"""A broker and a store for live feeds. What a store does on PostgreSQL is tested where stores are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlbus.bus import Bus, connected
from qmtl.sql.database import Database, sqlite_url


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="seamless") as ready:
        yield ready


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(sqlite_url(tmp_path / "seamless.db"))
    await database.migrate("seamless:migrations")
    yield database
    await database.close()
