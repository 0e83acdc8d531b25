"""Pages of listings, message to value and back; the token is the key of a page's last row, opaque to clients.

A listing reads one row more than the page shows: whether there is one is how it knows that it goes on. A page ends
early where its rows would not fit into a reply. A token holds a digest of the request it was given for, without its
page: that of another listing, or of the same with other filters, is refused.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, overload

from google.protobuf.message import Message

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, refused
from qmtl.core.paging import PAGE_BYTES_MAX, PAGE_DEFAULT, PAGE_MAX, K, Page

INT64_MAX = 2**63 - 1
TOKEN_MAX = 2000
ROW_FRAME_BYTES = 6  # of a row in its list: the field's tag and the row's length, at most

A = TypeVar("A", str, int)
B = TypeVar("B", str, int)
C = TypeVar("C", str, int)
D = TypeVar("D", str, int)
T = TypeVar("T")
M = TypeVar("M", bound=Message)


class Listing(Protocol):
    """The request of a listing: what is listed, and which page of it."""

    @property
    def DESCRIPTOR(self) -> Any: ...
    @property
    def page(self) -> commonpb.PageRequest: ...
    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


@overload
def page_from_proto(request: Listing, kinds: tuple[type[A]]) -> Page[tuple[A]]: ...
@overload
def page_from_proto(request: Listing, kinds: tuple[type[A], type[B]]) -> Page[tuple[A, B]]: ...
@overload
def page_from_proto(request: Listing, kinds: tuple[type[A], type[B], type[C]]) -> Page[tuple[A, B, C]]: ...
@overload
def page_from_proto(request: Listing, kinds: tuple[type[A], type[B], type[C], type[D]]) -> Page[tuple[A, B, C, D]]: ...
def page_from_proto(request: Listing, kinds: tuple[Any, ...]) -> Page[Any]:
    """The page asked for; `kinds` are the types of the key's parts, such as `(int, str)`.

    A size of 0 is the default, one above the maximum is the maximum. Raises InvalidRequest (E_PAGE_TOKEN).
    """
    size, token, query = min(request.page.page_size or PAGE_DEFAULT, PAGE_MAX), request.page.page_token, _query(request)
    return Page(size, _key(token, kinds, query) if token else None, query)


def page_of(
    rows: Sequence[T], page: Page[K], key: Callable[[T], K], to_proto: Callable[[T], M]
) -> tuple[list[M], commonpb.PageInfo]:
    """The rows that the page shows, of those read, as messages, and where the listing goes on.

    At most `page.size` of them and PAGE_BYTES_MAX in all, but one at least.
    """
    shown: list[M] = []
    held = 0
    for row in rows[: page.size]:
        message = to_proto(row)
        held += message.ByteSize() + ROW_FRAME_BYTES
        if shown and held > PAGE_BYTES_MAX:
            break
        shown.append(message)
    if len(shown) == len(rows):
        return shown, commonpb.PageInfo()
    return shown, commonpb.PageInfo(next_page_token=token_of(page, key(rows[len(shown) - 1])))


def parts_of(messages: Iterable[M], bytes_max: int = PAGE_BYTES_MAX) -> Iterator[tuple[list[M], bool]]:
    """Messages in the replies of a stream that holds them all: those of one reply, and whether more follow."""
    part: list[M] = []
    held = 0
    for message in messages:
        size = message.ByteSize() + ROW_FRAME_BYTES
        if part and held + size > bytes_max:
            yield part, True
            part, held = [], 0
        part.append(message)
        held += size
    yield part, False


def token_of(page: Page[K], key: K) -> str:
    """The token of the page that follows this one, after the row with this key."""
    text = json.dumps([page.query, *key], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def page_token_refused(token: str) -> InvalidRequest:
    """The error of a token that no page of this listing, with these filters, ended with."""
    return refused(
        "E_PAGE_TOKEN",
        "page.page_token",
        repr(token[:60]),
        "next_page_token of the page before",
        hint="start over without a token",
    )


def _query(request: Listing) -> str:
    """A digest of the request without its page; no two RPCs share a request type."""
    rest = copy.deepcopy(request)
    rest.page.Clear()
    rest.page.SetInParent()
    named = b"%s %s" % (request.DESCRIPTOR.full_name.encode(), rest.SerializeToString(deterministic=True))
    return hashlib.blake2b(named, digest_size=12).hexdigest()


def _key(token: str, kinds: Sequence[type[str] | type[int]], query: str) -> tuple[str | int, ...]:
    if len(token) > TOKEN_MAX:
        raise page_token_refused(token)
    try:
        parts = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise page_token_refused(token) from None
    if not isinstance(parts, list) or [type(part) for part in parts] != [str, *kinds]:
        raise page_token_refused(token)
    if parts[0] != query or not all(_is_storable(part) for part in parts):
        raise page_token_refused(token)
    return tuple(parts[1:])


def _is_storable(part: str | int) -> bool:
    """Whether a store can compare with it: a number of 64 bits, a text without surrogates or control characters."""
    if isinstance(part, int):
        return -INT64_MAX <= part <= INT64_MAX
    return part.isprintable()
