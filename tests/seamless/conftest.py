"""A running seamless with the sample, and an operator's stubs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qmtl.sql.database import Database
from tests.seamless.serving import Seamless, Stubs, running


@pytest.fixture
def store_of() -> str:
    return "seamless"


@pytest.fixture
async def seamless(tmp_path: Path) -> AsyncIterator[Seamless]:
    async with running(tmp_path) as server:
        yield server


@pytest.fixture
async def stub(seamless: Seamless) -> Stubs:
    return await seamless.stubs()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.migrate("seamless:migrations")
    yield database
    await database.close()
