"""Everything a vertex made, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qmtl.sdk.graph.vertices import Vertex

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats, Times


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """All values of one vertex: when each became known, and one row per value."""

    time_ns: Times
    rows: Floats

    def __len__(self) -> int:
        return len(self.time_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """Every vertex's series."""

    by_id: Mapping[str, Series]

    def __getitem__(self, vertex: Vertex) -> Series:
        return self.by_id[vertex.node_id]
