"""Coverage as a calendar of days: in a terminal and as a picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from qmtl.cli.show.drawing.calendar_map import LEGEND, Cell, map_text, months_of
from qmtl.cli.show.drawing.calendar_picture import draw


def _span(first: str, last: str) -> tuple[int, int]:
    start, end = (int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) for text in (first, last))
    return start, end


THERE = [_span("2024-02-27", "2024-02-29T13:00"), _span("2024-03-02T20:00", "2024-03-04")]
MISSING = [_span("2024-02-29T13:00", "2024-03-02T20:00")]
EMPTY = [_span("2024-03-04", "2024-03-05")]


def test_days_are_whole_partly_there_missing_empty_or_not_expected() -> None:
    february, march = months_of(THERE, MISSING, EMPTY)
    assert (february.year, february.month, len(february.cells), len(march.cells)) == (2024, 2, 29, 31)
    assert "".join(cell.value for cell in february.cells) == " " * 26 + "██▓"
    assert "".join(cell.value for cell in march.cells[:6]) == "·░█o  "


def test_the_map_has_a_ruler_a_row_for_each_month_and_a_legend() -> None:
    lines = map_text(months_of(THERE, MISSING, EMPTY)).splitlines()
    assert [line[:7] for line in lines[1:-1]] == ["2024-02", "2024-03"]
    assert lines[0].index("26") == lines[1].index("██") - 1
    assert lines[-1] == LEGEND


def test_of_nothing_there_is_nothing_to_draw() -> None:
    assert months_of([], [], []) == []


def test_only_the_newest_months_are_drawn() -> None:
    rows = months_of([_span("1900-01-01", "2024-01-02")], [], [])
    assert (len(rows), rows[-1].year, rows[-1].cells[0]) == (600, 2024, Cell.FULL)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"coverage.{ending}"
    draw(months_of(THERE, MISSING, EMPTY), "X", path)
    assert path.stat().st_size > 5_000
