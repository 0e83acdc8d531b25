"""What a prepared statement found: rows that are read already, asked for as SQLAlchemy's own results are.

Those follow a cursor, which costs more than to read a few rows. Here a row is a tuple with its columns as attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy.exc import MultipleResultsFound, NoResultFound

T = TypeVar("T")


class Found(Generic[T]):
    """Rows, or what was made of each."""

    __slots__ = ("_items",)

    def __init__(self, items: list[T]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def all(self) -> list[T]:
        """Every one."""
        return self._items

    def first(self) -> T | None:
        """The first, None without one."""
        return self._items[0] if self._items else None

    def one_or_none(self) -> T | None:
        """The only one, None without one. Raises MultipleResultsFound."""
        if len(self._items) > 1:
            raise MultipleResultsFound("Multiple rows were found when one or none was required")
        return self._items[0] if self._items else None

    def one(self) -> T:
        """The only one. Raises NoResultFound, MultipleResultsFound."""
        if len(self._items) == 1:
            return self._items[0]
        if self._items:
            raise MultipleResultsFound("Multiple rows were found when exactly one was required")
        raise NoResultFound("No row was found when one was required")


class Rows(Found[Any]):
    """Rows as the statement's columns have them."""

    __slots__ = ("_names",)

    def __init__(self, names: Sequence[str], items: list[Any]) -> None:
        super().__init__(items)
        self._names = names

    def scalars(self) -> Found[Any]:
        """The first column of each."""
        return Found([row[0] for row in self._items])

    def mappings(self) -> Found[Any]:
        """Each by the names of its columns."""
        return Found([dict(zip(self._names, row, strict=True)) for row in self._items])

    def scalar_one(self) -> Any:
        """The first column of the only one. Raises as `one`."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """The first column of the only one, None without one. Raises as `one_or_none`."""
        row = self.one_or_none()
        return None if row is None else row[0]


Make = Callable[[Any], Any]  # of a driver's row the row as it is shown
