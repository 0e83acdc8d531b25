"""How replies and statuses leave a server, and what a peer that is gone or reads nothing means for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from traceback import clear_frames
from typing import Any, Final

from grpc import aio

from qmtl.core.errors import Exhausted
from qmtl.rpc.server.inbound import Context
from qmtl.rpc.status import Status

Encode = Callable[[Any], bytes]
STATUS_S: Final = 5.0  # how long a peer that reads nothing may keep a call that is over


class PeerGone(Exception):
    """A reply could not be written."""


def bounded(encode: Encode | None, method: str, bytes_max: int) -> Encode:
    """An encoder of replies that refuses one that its caller would not take. Raises Exhausted (E_REPLY_TOO_LARGE)."""

    def encoded(reply: Any) -> bytes:
        body: bytes = reply if encode is None else encode(reply)
        if len(body) > bytes_max:
            raise Exhausted(
                "E_REPLY_TOO_LARGE",
                f"a reply of {method} has {len(body)} bytes, want at most {bytes_max}",
                hint="ask for less: a smaller page, a narrower filter",
            )
        return body

    return encoded


async def write(context: Context, reply: Any) -> None:
    """Send one reply of a stream. Raises PeerGone when the call was cut meanwhile."""
    try:
        await context.write(reply)
    except aio.InternalError as error:  # grpc's word for a write cut off, before the cancellation itself arrives
        raise PeerGone from error


def is_cancelled(context: Context) -> bool:
    """Whether the call is over for the caller too, and not just some part that served it.

    It matters: grpc sends no status for a handler that ends in CancelledError, so the caller would wait on.
    """
    task = asyncio.current_task()
    return context.cancelled() or (task is not None and task.cancelling() > 0)


def forget_frames(error: BaseException | None) -> None:
    """Let go of what the frames held that an error came through: the request that is refused, above all.

    grpc.aio keeps the error of an aborted call in a reference cycle, and with it each of those frames.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


async def abort(context: Context, status: Status) -> None:
    """End the call with a status, or cut it when a reply is still unsent to a peer that reads nothing."""
    try:
        async with asyncio.timeout(STATUS_S):
            await context.abort_with_status(status)  # type: ignore[arg-type]  # grpc.Status is an interface without __init__
    except (aio.InternalError, TimeoutError) as error:
        raise asyncio.CancelledError from error
