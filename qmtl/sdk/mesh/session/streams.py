"""Work and the streams that are followed beside it, ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def beside(work: Coroutine[Any, Any, T], *followers: Awaitable[None]) -> T:
    """Do the work while the followers follow; a follower that fails ends it with its error."""
    main = asyncio.ensure_future(work)
    beside_it = [asyncio.ensure_future(each) for each in followers]
    try:
        await asyncio.wait([main, *beside_it], return_when=asyncio.FIRST_COMPLETED)
        for follower in beside_it:
            if follower.done():
                follower.result()
        return await main
    finally:
        main.cancel()
        for follower in beside_it:
            follower.cancel()
        await asyncio.gather(main, *beside_it, return_exceptions=True)
