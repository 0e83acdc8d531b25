"""RFC 8785 canonical JSON and the BLAKE3 digest over it."""

from __future__ import annotations

import json.encoder
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from blake3 import blake3

from qmtl.core.errors import InvalidRequest, Violation

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
INT_MAX: Final = 2**53 - 1
quoted = json.encoder.encode_basestring  # escapes exactly as RFC 8785 section 3.2.2.2 asks


def canonical_json(value: Json) -> bytes:
    """RFC 8785 canonical JSON in UTF-8. Raises InvalidRequest (E_CANONICAL_JSON) for what has no such form."""
    try:
        return json_text(value).encode("utf-8")
    except UnicodeEncodeError:
        raise _not_json("a lone surrogate", "well-formed Unicode") from None
    except RecursionError:
        raise _not_json("nested too deeply", "a shallower value") from None


def digest(data: bytes) -> str:
    """BLAKE3-256 of the bytes, as "blake3:<64 hex>"."""
    return "blake3:" + blake3(data).hexdigest()


def json_text(value: Json) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -INT_MAX <= value <= INT_MAX:
            raise _not_json("an integer beyond 2^53-1", "a string")
        return str(int(value))
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_WRITERS.get(type(item), json_text)(item) for item in value]) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{quoted(key)}:{json_text(value[key])}" for key in _sorted_keys(value)]) + "}"
    raise _not_json(f"a {type(value).__name__}", "a JSON value")


def _sorted_keys(table: Mapping[str, Json]) -> list[str]:
    """By UTF-16 code units, as RFC 8785 section 3.2.3 asks; for ASCII that is plain order."""
    for key in table:
        if not isinstance(key, str):
            raise _not_json(f"a key of type {type(key).__name__}", "string keys")
    if all(map(str.isascii, table)):
        return sorted(table)
    return sorted(table, key=lambda key: key.encode("utf-16-be"))


def double_text(value: float) -> str:
    """ECMAScript's Number to String: the shortest digits, plain from 1e-6 up to 1e21."""
    if not math.isfinite(value):
        raise _not_json(str(float(value)), "a finite number")
    if value == 0:
        return "0"
    shortest = float.__repr__(value)
    if "e" not in shortest:  # from 1e-4 up to 1e16 both write the same
        return shortest.removesuffix(".0")
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = shortest.removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = whole + fraction
    digits = padded.lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(padded) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        text = digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return sign + text


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {str: quoted, float: double_text}  # what long lists are of


def _not_json(value: str, want: str) -> InvalidRequest:
    violation = Violation("value", value, want)
    return InvalidRequest("E_CANONICAL_JSON", str(violation), violations=(violation,))
