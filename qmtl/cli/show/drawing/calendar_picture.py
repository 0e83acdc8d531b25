"""The calendar of coverage as a picture file. Needs matplotlib (extra [demo]), loaded on use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qmtl.cli.show.drawing.calendar_map import Cell, MonthRow
from qmtl.core.errors import NotReady

_COLOURS = {
    Cell.NOTHING: "#f2f2f2",
    Cell.FULL: "#2a7f4f",
    Cell.MOST: "#8cc9a1",
    Cell.SOME: "#f0c36d",
    Cell.MISSING: "#c0392b",
    Cell.EMPTY: "#9fb8d8",
}
_WORDS = {
    Cell.FULL: "whole",
    Cell.MOST: "half or more",
    Cell.SOME: "less",
    Cell.MISSING: "missing",
    Cell.EMPTY: "empty by its source",
    Cell.NOTHING: "nothing expected",
}


def draw(rows: Sequence[MonthRow], title: str, path: Path) -> None:
    """Write the picture, its kind by the file's ending. Raises NotReady (E_NO_MATPLOTLIB)."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch, Rectangle
    except ModuleNotFoundError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    figure = Figure(figsize=(9, 1.6 + 0.22 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        for day, cell in enumerate(row.cells):
            axes.add_patch(Rectangle((day + 0.55, place - 0.45), 0.9, 0.9, color=_COLOURS[cell]))
    axes.set(xlim=(0.4, 31.6), ylim=(len(rows) - 0.4, -0.6), xlabel="day of the month", title=title)
    axes.set_xticks(range(1, 32, 5))
    axes.set_yticks(range(len(rows)), [f"{row.year}-{row.month:02d}" for row in rows])
    handles = [Patch(color=_COLOURS[cell], label=words) for cell, words in _WORDS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize="small", frameon=False)
    figure.savefig(path, dpi=120)
