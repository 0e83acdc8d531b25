"""Work and the streams that are followed beside it, the newest value that a stream has brought, and reading ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from qmtl.core.tasks.ending import end

T = TypeVar("T")
F = TypeVar("F")
READ_AHEAD_MAX = 1_000
_TURNS = 3  # of the event loop until what a channel's thread has received is in the hands of who reads


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

    async def until(self, found: Callable[[T], F | None], limit_s: float | None) -> F:
        """The first thing found in a value. Raises TimeoutError after the limit; None: there is none."""
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


class ReadAhead(Generic[T]):
    """The replies of a stream, read while those before them are worked on; `on_read` hears of each when it is read.

    So whoever works on an old one knows of the newest. Holds `limit` of them and reads no more before one was taken.
    Once `ended` returns it ends behind the replies read by then, and waits for no other.
    """

    def __init__(
        self,
        replies: AsyncIterator[T],
        on_read: Callable[[T], None],
        limit: int = READ_AHEAD_MAX,
        ended: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._read_already: asyncio.Queue[T | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(limit)
        self._on_read = on_read
        self._count = 0
        self._is_over = False
        self._reading = asyncio.ensure_future(self._read(replies))
        self._followed = [self._reading] if ended is None else [self._reading, asyncio.ensure_future(self._end(ended))]

    async def __aenter__(self) -> ReadAhead[T]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end(*self._followed)

    def __aiter__(self) -> ReadAhead[T]:
        return self

    async def __anext__(self) -> T:
        taken = await self._read_already.get()
        if taken is None:
            if not self._is_over:
                await self._reading  # raises what ended the stream
            raise StopAsyncIteration
        self._room.release()
        return taken

    async def drain(self) -> None:
        """Read what has arrived by now, however long the event loop was kept busy."""
        before = -1
        while self._count != before:
            before = self._count
            for _ in range(_TURNS):
                await asyncio.sleep(0)

    async def _end(self, ended: Callable[[], Awaitable[object]]) -> None:
        await ended()
        self._is_over = True
        await end(self._reading)

    async def _read(self, replies: AsyncIterator[T]) -> None:
        try:
            async for reply in replies:
                self._on_read(reply)
                self._count += 1
                await self._room.acquire()
                self._read_already.put_nowait(reply)
        finally:
            self._read_already.put_nowait(None)
