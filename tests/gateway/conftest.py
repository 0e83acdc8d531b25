from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qmtl.sql.database import Database
from tests.gateway.harness import GatewayHarness, running_harness


@pytest.fixture
def store_of() -> str:
    return "gateway"


@pytest.fixture
async def harness(tmp_path: Path, nats_url: str) -> AsyncIterator[GatewayHarness]:
    """A gateway with its peers, all running."""
    async with running_harness(tmp_path, nats_url) as harness:
        yield harness


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The submissions database, empty, on SQLite and on PostgreSQL."""
    database = Database(database_url)
    await database.migrate("gateway:migrations")
    yield database
    await database.close()
