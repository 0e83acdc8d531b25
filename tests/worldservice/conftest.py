from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.worldservice.harness import WorldHarness, running_harness


@pytest.fixture
def store_of() -> str:
    return "worldservice"


@pytest.fixture
async def harness(tmp_path: Path, nats_url: str) -> AsyncIterator[WorldHarness]:
    """A worldservice with a brokerage beside it."""
    async with running_harness(tmp_path, nats_url) as harness:
        yield harness
