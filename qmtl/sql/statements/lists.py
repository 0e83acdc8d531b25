"""Parts of SQL statements: lists short enough for one statement, and parameters that expand to a list."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

LIST_MAX = 500
T = TypeVar("T")


def bounded(items: Collection[T], size: int = LIST_MAX) -> Iterator[list[T]]:
    """The items in lists short enough for one statement."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def any_of(name: str) -> sa.BindParameter[list[str]]:
    return sa.bindparam(name, expanding=True)
