"""What a compute function sees: a read-only view of the aligned windows of its inputs.

Windows hold at most `period` rows, so memory is bounded; nothing here can be written through, and nothing
newer than the event being computed is ever in a window. The array form of a function sees many events at once, by the
same names: each answer has one dimension more, in front.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from qmtl.core.errors import InvalidRequest, refused
from qmtl.sdk.graph.schemas import Schema

if TYPE_CHECKING:
    import polars as pl

    from qmtl.core.arrays.types import Floats


A = TypeVar("A", bound=np.generic)
Ends = slice | NDArray[np.int64]
"""The rows of an input that are newest at each event; a slice has a start and a stop."""


class NodeView:
    """One input: its newest value and its window, oldest first. Arrays are read-only."""

    __slots__ = ("_rows", "_schema", "_times")

    def __init__(self, schema: Schema, times: NDArray[np.int64], rows: Floats) -> None:
        self._schema = schema
        self._times = _frozen(times)
        self._rows = _frozen(rows)

    @property
    def latest(self) -> float:
        """Newest value of the default field (close of a bar)."""
        return float(self._rows[-1, self._schema.column(self._schema.default)])

    @property
    def time_ns(self) -> int:
        """When the newest value became known, ns since 1970 UTC: a bar's close."""
        return int(self._times[-1])

    def field(self, name: str) -> float:
        """Newest value of a field, such as "high"."""
        return float(self._rows[-1, self._schema.column(name)])

    def window(self, n: int, field: str = "") -> Floats:
        """The last n values of a field (empty: the default one), oldest first, shape (n,). Raises E_WINDOW."""
        if not 1 <= n <= len(self._rows):
            raise refused(
                "E_WINDOW", "n", n, f"1 to {len(self._rows)}", hint="raise the node's period to see further back"
            )
        return self._rows[-n:, self._schema.column(field or self._schema.default)]

    def frame(self) -> pl.DataFrame:
        """The window as a polars frame: `time` (UTC, when known) and one column per field."""
        import polars as pl

        times = pl.Series("time", self._times).cast(pl.Datetime("ns", "UTC"))
        columns = [pl.Series(name, self._rows[:, i]) for i, name in enumerate(self._schema.fields)]
        return pl.DataFrame([times, *columns])


class CacheView:
    """The inputs of one node: `view[node]`, `view["name"]` or `view[position]`."""

    __slots__ = ("_index", "_views")

    def __init__(self, index: Mapping[Hashable, int], views: Sequence[NodeView]) -> None:
        self._index = index
        self._views = views

    def __getitem__(self, key: Hashable) -> NodeView:
        return self._views[_position(self._index, key)]

    def __len__(self) -> int:
        return len(self._views)


class NodeArrays:
    """One input at many events: what `NodeView` says of each, one after the other. Arrays are read-only."""

    __slots__ = ("_ends", "_period", "_rows", "_schema", "_times")

    def __init__(self, schema: Schema, series: tuple[NDArray[np.int64], Floats], ends: Ends, period: int) -> None:
        self._schema = schema
        self._times, self._rows = series
        self._ends = ends
        self._period = period

    @property
    def latest(self) -> Floats:
        """Newest value of the default field (close of a bar) at each event, shape (events,)."""
        return self.field(self._schema.default)

    @property
    def time_ns(self) -> NDArray[np.int64]:
        """When the newest value at each event became known, ns since 1970 UTC, shape (events,)."""
        return _frozen(self._times[self._ends])

    def field(self, name: str) -> Floats:
        """Newest value of a field, such as "high", at each event, shape (events,)."""
        return _frozen(self._rows[:, self._schema.column(name)][self._ends])

    def window(self, n: int, field: str = "") -> Floats:
        """The last n values of a field (empty: the default one) at each event, oldest first, shape (events, n).

        Raises InvalidRequest (E_WINDOW).
        """
        if not 1 <= n <= self._period:
            hint = "raise the node's period to see further back"
            raise refused("E_WINDOW", "n", n, f"1 to {self._period}", hint=hint)
        column = self._rows[:, self._schema.column(field or self._schema.default)]
        back, ends = n - 1, self._ends
        begins = slice(ends.start - back, ends.stop - back) if isinstance(ends, slice) else ends - back
        return _frozen(np.lib.stride_tricks.sliding_window_view(column, n)[begins])


class BatchView:
    """The inputs of one node at many events: `view[node]`, `view["name"]` or `view[position]`; `len` counts events."""

    __slots__ = ("_events", "_index", "_inputs")

    def __init__(self, index: Mapping[Hashable, int], inputs: Sequence[NodeArrays], events: int) -> None:
        self._index = index
        self._inputs = inputs
        self._events = events

    def __getitem__(self, key: Hashable) -> NodeArrays:
        return self._inputs[_position(self._index, key)]

    def __len__(self) -> int:
        return self._events


def _position(index: Mapping[Hashable, int], key: Hashable) -> int:
    if key not in index:
        raise InvalidRequest("E_VIEW_KEY", f"{key!r} is not an input of this node", hint="declare it in inputs")
    return index[key]


def _frozen(array: NDArray[A]) -> NDArray[A]:
    view = array.view()
    view.flags.writeable = False
    return view
