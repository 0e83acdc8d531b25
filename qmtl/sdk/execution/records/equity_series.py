"""An equity curve as exact integers, read as decimals: a million closes take eight bytes each, not an object each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, overload

import numpy as np

from qmtl.core.decimals import from_scaled

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

_WHOLE_MAX = 2**53
"""Up to here a double holds every integer, so that one division gives the double nearest to the decimal."""


class EquitySeries(Sequence[Decimal]):
    """`units` (n,) int64 at `scale` decimal places, as decimals; equal to a tuple of the same decimals."""

    __hash__ = None  # type: ignore[assignment]  # compared by value, and its array may be large

    def __init__(self, units: Times, scale: int) -> None:
        self.units, self.scale = units, scale

    def __len__(self) -> int:
        return len(self.units)

    @overload
    def __getitem__(self, at: int) -> Decimal: ...
    @overload
    def __getitem__(self, at: slice) -> EquitySeries: ...
    def __getitem__(self, at: int | slice) -> Decimal | EquitySeries:
        if isinstance(at, slice):
            return EquitySeries(self.units[at], self.scale)
        return from_scaled(int(self.units[at]), self.scale)

    def __iter__(self) -> Iterator[Decimal]:
        return (from_scaled(units, self.scale) for units in self.units.tolist())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EquitySeries) and other.scale == self.scale:
            return np.array_equal(self.units, other.units)
        if isinstance(other, (EquitySeries, tuple, list)):
            return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))
        return NotImplemented

    def __repr__(self) -> str:
        return f"EquitySeries({', '.join(str(value) for value in self[:8])}{', ...' if len(self) > 8 else ''})"

    @property
    def floats(self) -> Floats:
        """The double nearest to each."""
        if len(self.units) == 0 or max(int(self.units.max()), -int(self.units.min())) < _WHOLE_MAX:
            return self.units / 10.0**self.scale
        return np.array([float(value) for value in self])
