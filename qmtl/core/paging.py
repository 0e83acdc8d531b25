"""One page of a listing as a value: how many rows, and the key of the row it starts after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=tuple[str | int, ...])

PAGE_DEFAULT = 100
PAGE_MAX = 1000
PAGE_BYTES_MAX = 768 * 1024  # of its rows as messages: a reply has at most 1 MiB, and more than rows in it


@dataclass(frozen=True, slots=True)
class Page(Generic[K]):
    """At most `size` rows after the row with the key `after` (None: from the start) of the listing `query`."""

    size: int = PAGE_DEFAULT
    after: K | None = None
    query: str = ""
