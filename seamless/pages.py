"""Cursors of listings: an opaque token that says after which row to go on."""

import base64
import binascii

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, Violation

SIZE_DEFAULT = 100
SIZE_MAX = 1000


def size(page: commonpb.PageRequest) -> int:
    """Rows of a page: as asked, within the limit."""
    return min(page.page_size or SIZE_DEFAULT, SIZE_MAX)


def token(*parts: str) -> str:
    """The token of the last row of a page."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode()


def position(page: commonpb.PageRequest, parts: int) -> tuple[str, ...] | None:
    """What a token was made of; None for the first page. Raises InvalidRequest (E_PAGE_TOKEN)."""
    if not page.page_token:
        return None
    try:
        found = tuple(base64.b64decode(page.page_token, altchars=b"-_", validate=True).decode().split("\n"))
    except (binascii.Error, UnicodeDecodeError):
        raise bad_token(page) from None
    if len(found) != parts:
        raise bad_token(page)
    return found


def bad_token(page: commonpb.PageRequest) -> InvalidRequest:
    violation = Violation("page.page_token", repr(page.page_token), "next_page_token of the page before")
    return InvalidRequest("E_PAGE_TOKEN", str(violation), violations=[violation])
