"""Work and the streams that are followed beside it, and the newest value that a stream has brought."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from qmtl.core.tasks.ending import end

T = TypeVar("T")
F = TypeVar("F")


class Newest(Generic[T]):
    """The newest value of something that changes; whoever waits for a certain value is woken by each change."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._changed = asyncio.Event()

    def put(self, value: T) -> None:
        """Replace the value."""
        self.value = value
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()

    async def until(self, found: Callable[[T], F | None], limit_s: float) -> F:
        """The first thing found in a value. Raises TimeoutError after the limit."""
        async with asyncio.timeout(limit_s):
            while True:
                changed = self._changed
                if (thing := found(self.value)) is not None:
                    return thing
                await changed.wait()


async def beside(work: Coroutine[Any, Any, T], *followers: Awaitable[None]) -> T:
    """Do the work while the followers follow; a follower that fails ends it with its error."""
    main = asyncio.ensure_future(work)
    beside_it = [asyncio.ensure_future(each) for each in followers]
    try:
        await asyncio.wait([main, *beside_it], return_when=asyncio.FIRST_COMPLETED)
        for follower in beside_it:
            if follower.done():
                follower.result()
        return await main
    finally:
        await end(main, *beside_it)
