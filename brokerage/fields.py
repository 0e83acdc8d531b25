"""Text fields of messages and their bounds."""

from __future__ import annotations

from qmtl.core.errors import refused

TEXT_MAX = 128


def text(value: str, field: str, *, empty: bool = False) -> str:
    """A name: not empty, at most 128 characters."""
    if len(value) > TEXT_MAX or not (value or empty):
        raise refused("E_NAME", field, f"{len(value)} characters", f"1 to {TEXT_MAX} characters")
    return value
