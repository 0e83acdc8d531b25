"""How many examples of a property the suite draws, and how many the soak does."""

from __future__ import annotations

from hypothesis import settings


def examples(suite: int, soak: int) -> int:
    """`suite` of them where each run draws the same; `soak` under the profile that draws new ones."""
    return suite if settings.default is not None and settings.default.derandomize else soak
