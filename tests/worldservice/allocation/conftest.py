from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.worldservice.allocation.accounts import AccountsWithBooks
from tests.worldservice.harness import WorldHarness, running_harness


@pytest.fixture
def accounts() -> AccountsWithBooks:
    """One account of brokerage, with positions and prices."""
    return AccountsWithBooks()  # type: ignore[abstract]  # nothing else is asked of it


@pytest.fixture
async def allocating(tmp_path: Path, nats_url: str, accounts: AccountsWithBooks) -> AsyncIterator[WorldHarness]:
    """A worldservice beside a brokerage that has an account."""
    async with running_harness(tmp_path, nats_url, accounts) as harness:
        yield harness
