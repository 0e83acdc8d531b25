"""Pages of a listing: how many rows, and the key of the row before, in an opaque token."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TypeVar

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, Violation

SIZE_DEFAULT = 100
SIZE_MAX = 1000

K = TypeVar("K", str, int)


def page_size(page: commonpb.PageRequest) -> int:
    """Rows wanted."""
    return min(page.page_size or SIZE_DEFAULT, SIZE_MAX)


def after(page: commonpb.PageRequest, kinds: Sequence[type[str] | type[int]]) -> list[str | int] | None:
    """The key the page starts after; None for the first page. Raises InvalidRequest (E_PAGE_TOKEN)."""
    if not page.page_token:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(page.page_token.encode()))
    except (ValueError, binascii.Error):
        raise _bad_token(page.page_token) from None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise _bad_token(page.page_token)
    return key


def next_page(found: int, size: int, key: Sequence[str | int]) -> commonpb.PageInfo:
    """Where the listing goes on: after `key`, unless this page was not full."""
    if found < size:
        return commonpb.PageInfo()
    return commonpb.PageInfo(next_page_token=base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode())


def _bad_token(token: str) -> InvalidRequest:
    violation = Violation("page.page_token", repr(token[:60]), "the next_page_token of the page before")
    return InvalidRequest("E_PAGE_TOKEN", str(violation), violations=(violation,), hint="start over without a token")
