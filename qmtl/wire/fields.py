"""Fields of requests, checked one by one: what is missing, unknown or too long is refused with the field's path."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol, TypeVar

from qmtl.core.errors import refused

INT64_MAX = 2**63 - 1
TEXT_MAX = 200

E = TypeVar("E", bound=Enum)
N = TypeVar("N", bound=int)


class EnumNames(Protocol):
    """What protobuf's EnumTypeWrapper offers; its stub type is generic over each enum."""

    def Name(self, number: int) -> str: ...  # protobuf's spelling


def known_enum(table: Mapping[N, E], number: N, field: str) -> E:
    """The value of an enum number. Raises InvalidRequest (E_ENUM): unspecified and unknown are never guessed."""
    value = table.get(number)
    if value is None:
        shown = "unspecified" if number == 0 else str(number)
        raise refused("E_ENUM", field, shown, "one of " + ", ".join(known.name for known in table.values()))
    return value


def enum_from_proto(number: int, names: EnumNames, prefix: str, cls: type[E], field: str) -> E:
    """The domain's word of an enum whose names are the contract's without `prefix`. Raises InvalidRequest (E_ENUM)."""
    try:
        name = names.Name(number).removeprefix(prefix)
    except ValueError:
        name = str(number)
    if name not in cls.__members__:
        raise refused("E_ENUM", field, name, f"one of {', '.join(cls.__members__)}")
    return cls[name]


def require_text(value: str, field: str, length_max: int = TEXT_MAX) -> str:
    """Raises InvalidRequest (E_FIELD) for an empty, blank, overlong or unprintable text."""
    if not value or len(value) > length_max or not value.isprintable() or value.isspace():
        want = f"1 to {length_max} printable characters, not all blank"
        raise refused("E_FIELD", field, repr(value[:80]), want)
    return value


def optional_text(value: str, field: str, length_max: int = TEXT_MAX) -> str:
    """Raises InvalidRequest (E_FIELD) for a text that is not empty and not fit either."""
    return require_text(value, field, length_max) if value else ""


def require_int64(value: int, field: str) -> int:
    """Raises InvalidRequest (E_FIELD) for an unsigned number that no store has."""
    if value > INT64_MAX:
        raise refused("E_FIELD", field, str(value), f"at most {INT64_MAX}")
    return value
