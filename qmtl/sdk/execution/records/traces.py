"""Fills and orders of a run, read as the objects they are: those of compiled stretches stay columns until then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar, overload

R = TypeVar("R")
T = TypeVar("T")


class Columns(Protocol[R]):
    """Rows that are made when somebody reads them."""

    def __len__(self) -> int:
        """How many."""

    def rows(self) -> list[R]:
        """All of them."""


class Trace(Sequence[T], Generic[T]):
    """Rows in order, equal to a tuple of the same. Columns among them are made into rows once one is read."""

    __hash__ = None  # type: ignore[assignment]  # compared by value, and it grows

    def __init__(self, rows: Iterable[T] = ()) -> None:
        self._rows: list[T] = list(rows)
        self._columns: list[tuple[int, Columns[T]]] = []
        self._more = 0

    def append(self, row: T) -> None:
        """Add a row."""
        self._rows.append(row)

    def extend_by(self, columns: Columns[T]) -> None:
        """Add rows that are columns as yet."""
        if len(columns):
            self._columns.append((len(self._rows), columns))
            self._more += len(columns)

    @property
    def columns(self) -> Sequence[Columns[T]] | None:
        """The columns, where nothing else is in it; None: it has rows of its own."""
        return None if self._rows else [columns for _, columns in self._columns]

    def __len__(self) -> int:
        return len(self._rows) + self._more

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        return tuple(self._made()[at]) if isinstance(at, slice) else self._made()[at]

    def __iter__(self) -> Iterator[T]:
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Trace, tuple, list)):
            return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))
        return NotImplemented

    def __repr__(self) -> str:
        return f"Trace({', '.join(repr(row) for row in self[:8])}{', ...' if len(self) > 8 else ''})"

    def _made(self) -> list[T]:
        if self._columns:
            found, begin = list[T](), 0
            for at, columns in self._columns:
                found += self._rows[begin:at]
                found += columns.rows()
                begin = at
            self._rows, self._columns, self._more = found + self._rows[begin:], [], 0
        return self._rows
