"""Numbers that came as plain JSON or from an author's code, before anything is computed with them."""

from __future__ import annotations

import math
from typing import TypeGuard


def is_finite_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number that a double can hold: no bool, no NaN, no infinity, no integer beyond 1.8e308."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
