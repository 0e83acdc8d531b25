from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.sql.database import Database
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.serving import Served, serving


@pytest.fixture
def store_of() -> str:
    return "dagmanager"


@pytest.fixture
async def graph_store(database_url: str) -> AsyncIterator[GraphStore]:
    """An empty graph, on SQLite and on PostgreSQL."""
    db = Database(database_url)
    await db.migrate("dagmanager:migrations")
    yield GraphStore(db)
    await db.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    ensure_dev_keys(tmp_path)
    return tmp_path


@pytest.fixture
async def served(home: Path, nats_url: str) -> AsyncIterator[Served]:
    """A real server on a loopback port with a real broker behind it."""
    async with serving(home, nats_url) as served:
        yield served
