"""Bodies of requests: taken once their caller is known, bounded by their method's size, then decoded.

gRPC would read a unary request whole and decode it before any code of ours runs, and answer what it cannot decode with
the name of a class. So every method is served as one whose client streams: its handler runs before a byte of the body
is taken, and a caller that is refused leaves what flow control had let in, at most a window of one stream.
"""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Generic, Self, TypeVar

from google.protobuf.message import DecodeError
from grpc import aio

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.rpc.chunks import UNREADABLE
from qmtl.rpc.rules.methods import MethodRule
from qmtl.rpc.server.inbound import Context
from qmtl.rpc.server.shares import Body, Caller, Shares

WINDOW_BYTES: Final = 64 * 1024  # of one stream, by flow control
COLLECT_AFTER_BYTES: Final = 32 * 1024 * 1024
COLLECT_EVERY_S: Final = 1.0
T = TypeVar("T")
Decode = Callable[[bytes], T]


def decoded(decode: Decode[T], body: bytes) -> T:
    """The message in a body. Raises InvalidRequest (E_REQUEST_UNREADABLE)."""
    try:
        return decode(body)
    except DecodeError:
        raise InvalidRequest(UNREADABLE, f"{len(body)} bytes are no message of this method's request type") from None


def check_size(body: bytes, rule: MethodRule) -> None:
    """Raises InvalidRequest (E_TOO_LARGE)."""
    if len(body) > rule.request_bytes_max:
        most = f"at most {rule.request_bytes_max} bytes"
        raise InvalidRequest(
            "E_TOO_LARGE",
            f"a message of {rule.name} has {len(body)} bytes, want {most}",
            violations=[Violation("request", f"{len(body)} bytes", most)],
        )


class Bodies:
    """Reads the requests of one server, and sees that what they held is given back.

    Calls of grpc.aio sit in reference cycles, with the bytes they were sent: only the cyclic collector frees them, and
    it counts objects, not bytes. So it is asked once enough bytes have come.
    """

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._uncollected = 0
        self._collected_at = time.monotonic()

    @asynccontextmanager
    async def only(self, context: Context, rule: MethodRule, caller: Caller) -> AsyncIterator[bytes]:
        """The one message of a plain request, counted while it is served; before it came, as what is let in unread.

        Raises Exhausted (E_OVERLOADED, E_SHARE_EXCEEDED), InvalidRequest (E_TOO_LARGE, E_REQUEST_UNREADABLE).
        """
        with self._shares.body(caller, min(rule.request_bytes_max, WINDOW_BYTES)) as held:
            body = await context.read()
            if body is aio.EOF:
                raise InvalidRequest(UNREADABLE, "no message came with the call")
            self.came(len(body))
            check_size(body, rule)
            held.resize(len(body))
            yield body

    def came(self, size: int) -> None:
        """Count what was read, and collect when it is much."""
        self._uncollected += size
        now = time.monotonic()
        if self._uncollected >= COLLECT_AFTER_BYTES and now - self._collected_at >= COLLECT_EVERY_S:
            gc.collect()
            self._uncollected, self._collected_at = 0, now


class DecodedStream(Generic[T]):
    """The messages of a client's stream, each decoded when the handler asks for it, and counted until it asks again.

    `begin` is awaited before the first is read, `end` after the last.
    """

    def __init__(
        self,
        decode: Decode[T],
        bodies: AsyncIterable[bytes],
        rule: MethodRule,
        reader: Bodies,
        held: Body | None,
    ) -> None:
        """`held`: where the message is counted that the handler has; None for a payload whose sum is."""
        self._decode = decode
        self._bodies = bodies
        self._reading: AsyncIterator[bytes] | None = None  # grpc warns of one that was made and never asked
        self._rule = rule
        self._reader = reader
        self._held = held
        self.begin: Callable[[], Awaitable[None]] | None = None
        self.end: Callable[[], Awaitable[None]] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._reading is None:
            if self.begin is not None:
                await self.begin()
            self._reading = aiter(self._bodies)
        elif self._held is not None:
            self._held.resize(0)
        try:
            body = await anext(self._reading)
        except StopAsyncIteration:
            if self.end is not None:
                end, self.end = self.end, None
                await end()
            raise
        self._reader.came(len(body))
        check_size(body, self._rule)
        if self._held is not None:
            self._held.resize(len(body))
        return decoded(self._decode, body)
