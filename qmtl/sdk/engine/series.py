"""Everything a vertex made, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qmtl.sdk.graph.vertices import Vertex

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """All values of one vertex: when each became known, and one row per value."""

    time_ns: Times
    rows: Floats

    def __len__(self) -> int:
        return len(self.time_ns)

    def newest(self, count: int) -> Series:
        """The last so many values, or all there are."""
        begin = max(len(self) - count, 0)
        return Series(self.time_ns[begin:], self.rows[begin:])


def followed(parts: Sequence[Series]) -> Series:
    """One series of several that follow one another."""
    if len(parts) == 1:
        return parts[0]
    return Series(np.concatenate([one.time_ns for one in parts]), np.concatenate([one.rows for one in parts]))


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Every vertex's series."""

    by_id: Mapping[str, Series]

    def __getitem__(self, vertex: Vertex) -> Series:
        return self.by_id[vertex.node_id]
