"""Payloads in chunks on their way out, when the server has begun to read.

A write that the end of the call meets loses what the server ended it with: grpc.aio tells "Internal error from Core" in
place of the status. A server that reads a payload says so in its initial metadata.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Protocol

from grpc import aio

from qmtl.rpc.chunks import Chunked, Stated
from qmtl.rpc.metadata import PAYLOAD_WANTED_KEY


class Payload(Protocol):
    """What can be sent in chunks."""

    @property
    def stated(self) -> Stated: ...

    def chunks(self) -> AsyncIterator[Any]:
        """The requests from the first; asked once for each attempt."""
        ...


class Kept:
    """A payload that is at hand."""

    def __init__(self, requests: Chunked[Any]) -> None:
        self.stated = requests.stated
        self._requests = requests

    async def chunks(self) -> AsyncIterator[Any]:
        for request in self._requests.again():
            yield request


class Relayed:
    """A payload that is passed on while it comes in; it can be sent once."""

    def __init__(self, bodies: AsyncIterable[bytes], said: Stated) -> None:
        self.stated = said
        self._bodies = bodies

    async def chunks(self) -> AsyncIterator[bytes]:
        async for body in self._bodies:
            yield body


def payload_of(requests: Any) -> Payload | None:
    """The payload that a stream's requests are the chunks of; None: they are requests of their own."""
    if isinstance(requests, Chunked):
        return Kept(requests)
    return requests if isinstance(requests, Relayed) else None


async def paced(payload: Payload, call: Callable[[], aio.Call]) -> AsyncIterator[Any]:
    """The chunks of one attempt; `call` answers the call that they are sent on."""
    if (await call().initial_metadata()).get(PAYLOAD_WANTED_KEY) is None:
        await call().code()  # refused: its status comes right behind
        return
    async for request in payload.chunks():
        if call().done():
            return
        yield request
