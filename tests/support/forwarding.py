"""A TCP forwarder in front of a server: connections that are reset, or that stay open and carry nothing any more.

async with forwarding("127.0.0.1:7700") as wire: ... wire.address; wire.reset(); wire.hold(); wire.release()
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE = 65_536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: close sends RST and drops what was not sent


class Forwarder:
    """Carries bytes between whoever connects and `target`."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._flows = asyncio.Event()
        self._flows.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self.address = ""

    def hold(self) -> None:
        """From now on nothing arrives in either direction and nobody is told, as when a peer's machine is gone."""
        self._flows.clear()

    def release(self) -> None:
        """What was held arrives."""
        self._flows.set()

    def reset(self) -> None:
        """Cut every connection at once; new ones are welcome."""
        for end in self._ends:
            raw: socket.socket = end.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as both of its halves live."""
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._ends |= ends
        tasks = {asyncio.create_task(self._carry(reader, back)), asyncio.create_task(self._carry(there, writer))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ends -= ends
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for end in ends:
                end.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(PIECE):
                await self._flows.wait()
                sink.write(piece)
                await sink.drain()
        except OSError:
            return  # cut: the other half ends with it


@asynccontextmanager
async def forwarding(target: str) -> AsyncIterator[Forwarder]:
    """A forwarder on a free port of loopback."""
    forwarder = Forwarder(target)
    server = await asyncio.start_server(forwarder.serve, "127.0.0.1", 0)
    forwarder.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield forwarder
    finally:
        server.close()
        forwarder.reset()
        await server.wait_closed()
