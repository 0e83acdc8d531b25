"""Replies of long streams: each written in a bounded time, and all of them ended when the server says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from qmtl.core.errors import Exhausted

T = TypeVar("T")


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


async def until_set(ends: asyncio.Event, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items until the event is set; one that is awaited at that moment is given up."""
    ending = asyncio.create_task(ends.wait())
    try:
        async with aclosing(items):
            while True:
                coming = asyncio.ensure_future(anext(items))
                try:
                    await asyncio.wait([coming, ending], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not coming.done():
                        coming.cancel()
                if not coming.done():
                    await asyncio.gather(coming, return_exceptions=True)
                    return
                try:
                    item = coming.result()
                except StopAsyncIteration:
                    return
                yield item
    finally:
        ending.cancel()
