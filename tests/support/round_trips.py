"""How often a client of PostgreSQL waits for it: a forwarder at its socket that counts what asks for an answer.

async with counted_trips(url) as trips: ... Database(trips.url); trips.count
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

PIECE = 65_536
SOCKET = ".s.PGSQL.5432"
HEADER = 5  # of a message: its kind and its length
WAITS = b"SQ"  # Sync, which ends a part of a pipeline, and a query that is no pipeline's


class RoundTrips:
    """Carries bytes between clients and the server whose socket is in `folder`."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        self._server = Path(parse_qs(parts.query)["host"][0]) / SOCKET
        self.url = urlunsplit(parts._replace(query=f"host={folder}"))
        self.count = 0
        """Of all connections: the messages after which the server answers at once. When it answers of itself depends on
        how full its buffer is, so turns of speaking are not counted.
        """
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        there, back = await asyncio.open_unix_connection(str(self._server))
        ways = [self._ask(reader, back), self._answer(there, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        self._open |= {writer, back}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the test is over, and so is this task: nobody waits for it
        finally:
            self._open -= {writer, back}
            writer.transport.abort()
            back.transport.abort()
            await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """End every connection at once."""
        for end in self._open:
            end.transport.abort()

    async def _ask(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        left, is_first = b"", True  # the first message has no kind
        while piece := await source.read(PIECE):
            left += piece
            while len(left) >= HEADER:
                size = int.from_bytes(left[:4] if is_first else left[1:HEADER], "big") + (not is_first)
                if len(left) < size:
                    break
                self.count += not is_first and left[0] in WAITS
                left, is_first = left[size:], False
            sink.write(piece)
            await sink.drain()

    async def _answer(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()


@asynccontextmanager
async def counted_trips(url: str) -> AsyncIterator[RoundTrips]:
    """A forwarder in front of the server of a URL; the folder is short: a socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="qmtl-pg-") as folder:
        trips = RoundTrips(url, Path(folder))
        server = await asyncio.start_unix_server(trips.serve, str(Path(folder) / SOCKET))
        try:
            yield trips
        finally:
            server.close()
            trips.cut()
            await server.wait_closed()
