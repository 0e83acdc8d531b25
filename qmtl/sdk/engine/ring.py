"""The last rows of one input with their times: what bounds the memory of a custom node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


class Ring:
    """The last `capacity` rows with their times, each stored twice so that any window is one contiguous slice."""

    __slots__ = ("_capacity", "_next", "_rows", "_size", "_times")

    def __init__(self, capacity: int, width: int) -> None:
        self._capacity = capacity
        self._rows: Floats = np.zeros((2 * capacity, width))
        self._times: NDArray[np.int64] = np.zeros(2 * capacity, dtype=np.int64)
        self._next = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def full(self) -> bool:
        return self._size == self._capacity

    def push(self, time_ns: int, row: Sequence[float] | Floats) -> None:
        """Append a row, forgetting the oldest when full."""
        for at in (self._next, self._next + self._capacity):
            self._rows[at] = row
            self._times[at] = time_ns
        self._next = (self._next + 1) % self._capacity
        self._size = min(self._size + 1, self._capacity)

    def rows(self) -> Floats:
        """All rows held, oldest first."""
        end = self._next + self._capacity
        return self._rows[end - self._size : end]

    def times(self) -> NDArray[np.int64]:
        end = self._next + self._capacity
        return self._times[end - self._size : end]
