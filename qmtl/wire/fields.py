"""Fields of requests, checked one by one: what is missing, unknown or too long is refused with the field's path."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from qmtl.core.errors import refused

E = TypeVar("E", bound=Enum)
N = TypeVar("N", bound=int)


def known_enum(table: Mapping[N, E], number: N, field: str) -> E:
    """The value of an enum number. Raises InvalidRequest (E_ENUM): unspecified and unknown are never guessed."""
    value = table.get(number)
    if value is None:
        shown = "unspecified" if number == 0 else str(number)
        raise refused("E_ENUM", field, shown, "one of " + ", ".join(known.name for known in table.values()))
    return value
