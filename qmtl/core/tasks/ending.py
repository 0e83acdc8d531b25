"""The end of asyncio tasks: cancelled until they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

ASK_AGAIN_S: Final = 0.5


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until all have ended; what they raised is theirs and not raised here.

    A task can swallow a cancellation: `asyncio.wait_for` of Python 3.11 does when what it waits for is done in the same
    instant, and nats-py waits by it. So whoever goes on is cancelled again, each half second.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen, so that the loop does not report it as lost


async def unbroken(work: Awaitable[None]) -> None:
    """Wait for the end of what must not be left halfway, however often the caller is cancelled; then it is cancelled.

    The work bounds its own time. Raises what it raises.
    """
    going = asyncio.ensure_future(work)
    cancelled = False
    while not going.done():
        try:
            await asyncio.wait({going})
        except asyncio.CancelledError:
            cancelled = True
    going.result()
    if cancelled:
        raise asyncio.CancelledError


async def first_of(*waits: Awaitable[object] | None) -> None:
    """Return when any of them is done; the others are cancelled. None among them is none."""
    tasks = [asyncio.ensure_future(wait) for wait in waits if wait is not None]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
