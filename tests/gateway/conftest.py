from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qmtl.sql.database import Database
from tests.gateway.estate import Estate, running_estate


@pytest.fixture
async def estate(tmp_path: Path, nats_url: str) -> AsyncIterator[Estate]:
    """A gateway with its peers, all running."""
    async with running_estate(tmp_path, nats_url) as estate:
        yield estate


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The submissions database, empty, on SQLite and on PostgreSQL."""
    database = Database(database_url)
    await database.migrate("gateway:migrations")
    yield database
    await database.close()
