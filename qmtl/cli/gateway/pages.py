"""Listings that come in pages, read until enough is there. Nothing here knows a contract."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from qmtl.common.v1 import common_pb2 as commonpb

PAGE_MAX = 1000


class PagedRequest(Protocol):
    """A request for one page of a listing."""

    @property
    def page(self) -> commonpb.PageRequest: ...


class PagedReply(Protocol):
    """One page of a listing."""

    @property
    def page(self) -> commonpb.PageInfo: ...


Row = TypeVar("Row")
Request = TypeVar("Request", bound=PagedRequest)
Reply = TypeVar("Reply", bound=PagedReply)


async def listed(
    call: Callable[[Request], Awaitable[Reply]],
    request: Request,
    rows: Callable[[Reply], Iterable[Row]],
    limit: int = sys.maxsize,
) -> list[Row]:
    """The first `limit` rows of a listing; `rows` has those of a reply. The request goes from page to page."""
    found: list[Row] = []
    while True:
        request.page.page_size = min(PAGE_MAX, limit - len(found))
        reply = await call(request)
        found.extend(rows(reply))
        request.page.page_token = reply.page.next_page_token
        if not request.page.page_token or len(found) >= limit:
            return found[:limit]
