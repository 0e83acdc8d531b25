"""Work and what is followed beside it end together."""

from __future__ import annotations

import asyncio

import pytest

from qmtl.core.errors import Unavailable
from qmtl.sdk.mesh.session.streams import beside


async def test_work_ends_with_its_followers_cancelled_and_fails_with_theirs() -> None:
    cancelled = asyncio.Event()

    async def follow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fail() -> None:
        raise Unavailable("E_TEST", "gone")

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def endless() -> int:
        await asyncio.Event().wait()
        return 0

    assert await beside(work(), follow()) == 7
    assert cancelled.is_set()
    with pytest.raises(Unavailable):
        await beside(endless(), fail())
