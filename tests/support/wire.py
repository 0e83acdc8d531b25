"""A TCP wire between a client and a server that a test can cut, or on which answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65536


class Wire:
    """`url` leads to the server. `deaf`: what the client sends arrives, what the server answers does not."""

    def __init__(self, port: int) -> None:
        self.deaf = False
        self._target = port
        self._pairs: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End every connection, and let the next ones through whole."""
        self.deaf = False
        for writer in tuple(self._pairs):
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there}
        self._pairs |= both
        await asyncio.gather(self._copy(reader, there, True), self._copy(there_reader, writer, False))
        self._pairs -= both

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, outward: bool) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if outward or not self.deaf:
                    sink.write(data)
                    await sink.drain()
        sink.transport.abort()


@asynccontextmanager
async def wired(port: int) -> AsyncIterator[Wire]:
    wire = Wire(port)
    await wire.open()
    try:
        yield wire
    finally:
        await wire.close()
