"""One page of a listing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: at most `size` rows after the key `after` (empty: from the start)."""

    size: int
    after: str = ""
