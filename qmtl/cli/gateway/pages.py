"""Listings that come in pages, read until enough is there. Nothing here knows a contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from qmtl.common.v1 import common_pb2 as commonpb

PAGE_MAX = 1000
Row = TypeVar("Row")
Page = Callable[[commonpb.PageRequest], Awaitable[tuple[Sequence[Row], commonpb.PageInfo]]]


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
