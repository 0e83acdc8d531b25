"""A TCP wire between a client and a server that a test can cut or hold, or on which answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65536


class Wire:
    """`address` leads to the server, `url` to one that is a NATS server.

    `deaf`: what the client sends arrives, what the server answers does not.
    """

    def __init__(self, port: int) -> None:
        self.deaf = False
        self._target = port
        self._holding = False
        self._held: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._pairs: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"nats://{self.address}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def hold(self) -> None:
        """What the client sends from now on stays on the wire: it has left, and has not arrived."""
        self._holding = True

    def holds(self, text: bytes) -> bool:
        """Whether something is on the wire that has these bytes in it."""
        return text in b"".join(data for _, data in self._held)

    def release(self) -> None:
        """Let what was held arrive, in order."""
        self._holding = False
        for sink, data in self._held:
            sink.write(data)
        self._held.clear()

    def cut(self) -> None:
        """End every connection, and let the next ones through whole."""
        self.deaf = self._holding = False
        self._held.clear()
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
                if outward and self._holding:
                    self._held.append((sink, data))
                elif outward or not self.deaf:
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
