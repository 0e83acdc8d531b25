"""Tables for people. No id, topic or time is ever cut or broken: a table that would have to is written in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

import typer
from rich.console import Console
from rich.table import Column, Table

BORDERS = 3  # columns of a terminal that each column of a table adds to its text


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in the terminal's width, or, piped, as wide as it needs to be. Without rows, one line."""
    console = Console()
    typer.echo(table_text(title, columns, list(rows), console.width if console.is_terminal else 0))


def show_pairs(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Print one thing with its properties."""
    show_table(title, ("field", "value"), pairs)


def table_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """The table in at most `width` columns, 0: as many as it takes. Lines break between words only.

    A row whose words do not fit side by side becomes a block of one line a column.
    """
    if not rows:
        return f"{title}: none"
    cells = [[name, *(row[at] for row in rows)] for at, name in enumerate(columns)]
    least = [max(len(word) for cell in column for word in cell.split() or [""]) for column in cells]
    whole = [max(len(line) for cell in column for line in cell.split("\n")) for column in cells]
    if width and _outer(least) > width:
        return _blocks(title, columns, rows)
    table = Table()
    table.columns = [
        Column(name, min_width=size, _index=at) for at, (name, size) in enumerate(zip(columns, least, strict=True))
    ]
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=width or _outer(whole)).print(table, markup=False)
    return f"{title}\n{text.getvalue()}".rstrip("\n")


def _outer(sizes: Sequence[int]) -> int:
    return sum(sizes) + BORDERS * len(sizes) + 1


def _blocks(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    size = max(map(len, columns))
    blocks = [
        "\n".join(f"  {name:<{size}}  {cell}".rstrip() for name, cell in zip(columns, row, strict=True)) for row in rows
    ]
    return "\n\n".join([f"{title}\n{blocks[0]}", *blocks[1:]])
