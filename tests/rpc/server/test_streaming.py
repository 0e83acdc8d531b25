"""Long streams: a client that reads nothing is let go, and a draining server ends what it streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from qmtl.core.errors import Exhausted
from qmtl.rpc.server.streaming import until_set, write_within


class Reader:
    """A client that takes replies, or none any more."""

    def __init__(self, stuck: bool) -> None:
        self.stuck = stuck
        self.got: list[object] = []

    async def write(self, reply: object) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        self.got.append(reply)


async def test_a_reply_is_written() -> None:
    reader = Reader(stuck=False)
    await write_within(1.0, reader, "one")
    assert reader.got == ["one"]


async def test_a_reader_that_takes_nothing_is_let_go() -> None:
    with pytest.raises(Exhausted, match="E_SUBSCRIBER_STUCK"):
        await write_within(0.01, Reader(stuck=True), "one")


class Source:
    """Items until they run out, then an endless wait; notes that it was closed."""

    def __init__(self, *items: int, ends: bool = False) -> None:
        self.items = items
        self.ends = ends
        self.closed = False

    async def read(self) -> AsyncGenerator[int, None]:
        try:
            for item in self.items:
                yield item
            if not self.ends:
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_items_end_when_the_event_is_set_and_the_source_is_closed() -> None:
    ends, source = asyncio.Event(), Source(1, 2)
    seen = []
    async for item in until_set(ends, source.read()):
        seen.append(item)
        if item == 2:
            ends.set()
    assert (seen, source.closed) == ([1, 2], True)


async def test_items_that_run_out_end_the_stream() -> None:
    assert [item async for item in until_set(asyncio.Event(), Source(1, 2, ends=True).read())] == [1, 2]
