"""Streaming calls as a channel hands them out: grpc's own, with the errors turned back on every way out.

Never tried again: only the reader knows from which position to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Self, TypeVar

import grpc
from grpc import aio

from qmtl.core.errors import QmtlError, Unavailable
from qmtl.rpc.status import from_parts, from_rpc_error

Req = TypeVar("Req")
Res = TypeVar("Res")
C = TypeVar("C", bound=aio.Call)


@contextmanager
def scoped(call: C) -> Iterator[C]:
    """Cancel a call when the block is left: to break out of `async for` alone leaves the peer sending."""
    try:
        yield call
    finally:
        call.cancel()


class _Stream:
    """What all streams share: grpc's call, seen through."""

    _call: Any  # one of grpc's three streaming calls; each subclass narrows it by what it offers
    _canceled = False

    def cancel(self) -> bool:
        self._canceled = True
        return bool(self._call.cancel())

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The peer's errors as classes. A call that grpc has cancelled by itself, as when its channel is closed or the
        peer dies while it is written to, is Unavailable: a CancelledError that nobody asked for ends tasks in silence.
        """
        try:
            yield
        except aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if self._canceled or (asking is not None and asking.cancelling()):
                raise
            text = "grpc ended the call: its channel was closed, its peer died, or what it was to send raised"
            raise Unavailable("E_CHANNEL_CLOSED", text) from None

    def cancelled(self) -> bool:
        return bool(self._call.cancelled())

    def done(self) -> bool:
        return bool(self._call.done())

    def time_remaining(self) -> float | None:
        left: float | None = self._call.time_remaining()
        return left

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._call.add_done_callback(lambda _inner: callback(self))

    async def initial_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._call.initial_metadata()
        return metadata

    async def trailing_metadata(self) -> aio.Metadata:
        metadata: aio.Metadata = await self._call.trailing_metadata()
        return metadata

    async def code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = await self._call.code()
        return code

    async def details(self) -> str:
        details: str = await self._call.details()
        return details

    async def wait_for_connection(self) -> None:
        with self._told():
            await self._call.wait_for_connection()


class _Reading(_Stream, Generic[Res]):
    """The response side of a stream."""

    _replies: AsyncIterator[Res] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Res:
        if self._replies is None:
            self._replies = aiter(self._call)
        with self._told():
            return await anext(self._replies)

    async def read(self) -> Any:
        """The next message or `grpc.aio.EOF`."""
        with self._told():
            return await self._call.read()


class _Writing(_Stream, Generic[Req]):
    """The request side of a stream."""

    async def write(self, request: Req) -> None:
        """Send one message. A call that is over raises its own error, not that it is over."""
        try:
            with self._told():
                await self._call.write(request)
        except asyncio.InvalidStateError:
            outcome = await self._outcome() if self._call.done() else None
            if outcome is None:
                raise
            raise outcome from None

    async def done_writing(self) -> None:
        """Tell the peer that no more will come; nothing when the call is over already."""
        with self._told():
            await self._call.done_writing()

    async def _outcome(self) -> QmtlError | None:
        code = await self.code()
        if code is grpc.StatusCode.OK:
            return None
        return from_parts(code, await self.details(), await self.trailing_metadata())


class ReadingCall(_Reading[Res], aio.UnaryStreamCall[Req, Res]):
    """One request, a stream of replies."""

    def __init__(self, call: aio.UnaryStreamCall[Req, Res]) -> None:
        self._call = call


class WritingCall(_Writing[Req], aio.StreamUnaryCall[Req, Res]):
    """A stream of requests, one reply."""

    def __init__(self, call: aio.StreamUnaryCall[Req, Res]) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Res]:
        return self._reply().__await__()

    async def _reply(self) -> Res:
        with self._told():
            reply: Res = await self._call
        return reply


class TwoWayCall(_Reading[Res], _Writing[Req], aio.StreamStreamCall[Req, Res]):
    """A stream each way."""

    def __init__(self, call: aio.StreamStreamCall[Req, Res]) -> None:
        self._call = call
