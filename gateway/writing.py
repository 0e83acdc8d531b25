"""Replies of long streams, each written in a bounded time: who reads nothing is let go and holds nobody's place."""

from __future__ import annotations

import asyncio
from typing import Any

from qmtl.core.errors import Exhausted


async def write_within(limit_s: float, context: Any, reply: object) -> None:
    """Send a reply. Raises Exhausted (E_SUBSCRIBER_STUCK) when the client takes none for `limit_s`."""
    try:
        async with asyncio.timeout(limit_s):
            await context.write(reply)
    except TimeoutError:
        raise Exhausted(
            "E_SUBSCRIBER_STUCK",
            f"nothing was read for {limit_s:g} s",
            hint="open it again, with the last resume token",
        ) from None
