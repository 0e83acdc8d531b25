"""Listings that come in pages, read until enough is there. Nothing here knows a contract."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.rpc.client.channel import MeshChannel

PAGE_MAX = 1000
Row = TypeVar("Row")
Page = Callable[[commonpb.PageRequest], Awaitable[tuple[Sequence[Row], commonpb.PageInfo]]]
ChannelPage = Callable[[MeshChannel, commonpb.PageRequest], Awaitable[tuple[Sequence[Row], commonpb.PageInfo]]]


def ask_pages(access: Access, page: ChannelPage[Row], limit: int) -> list[Row]:
    """The first `limit` rows of a listing of the gateway. Raises as `ask` does."""
    return ask(access, lambda channel: collect(lambda asked: page(channel, asked), limit))


async def every(page: Page[Row]) -> list[Row]:
    """All rows of a listing that is bounded by what it lists: the nodes of a graph, the queues of a strategy."""
    return await collect(page, sys.maxsize)


async def collect(page: Page[Row], limit: int) -> list[Row]:
    """The first `limit` rows."""
    found: list[Row] = []
    token = ""
    while True:
        size = min(PAGE_MAX, limit - len(found))
        rows, info = await page(commonpb.PageRequest(page_size=size, page_token=token))
        found.extend(rows)
        token = info.next_page_token
        if not token or len(found) >= limit:
            return found[:limit]
