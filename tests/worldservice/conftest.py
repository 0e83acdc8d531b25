from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.worldservice.estate import Estate, running_estate


@pytest.fixture
async def estate(tmp_path: Path, nats_url: str) -> AsyncIterator[Estate]:
    """A worldservice with a brokerage beside it."""
    async with running_estate(tmp_path, nats_url) as estate:
        yield estate
