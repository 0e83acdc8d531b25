"""Tables for people, as wide as they need to be. Knows no message of a contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table as wide as it needs to be; piped output is not cut. Without rows, one line that says so."""
    from rich.console import Console
    from rich.table import Table

    lines = list(rows)
    if not lines:
        typer.echo(f"{title}: none")
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in lines:
        table.add_row(*row)
    console = Console()
    if console.is_terminal:
        console.print(table, markup=False)
    else:
        Console(width=400).print(table, markup=False)


def show_pairs(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    """One thing with its properties."""
    show_table(title, ("field", "value"), pairs)
