from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from controlbus.bus import connected
from qmtl.rpc.auth.keys import ensure_dev_keys
from tests.controlbus.operator.serving import ServedBus, serving


@pytest.fixture
async def served(nats_url: str, tmp_path: Path) -> AsyncIterator[ServedBus]:
    """The operator's services, with a real broker behind them."""
    ensure_dev_keys(tmp_path)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(connected(nats_url, service="controlbus"))
        yield await serving(bus, tmp_path, stack)
