"""The line that a terminal shows while trials run."""

from __future__ import annotations

import io
from collections.abc import Sequence

from qmtl.sdk.research.progress import progress_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(text: str) -> Sequence[str]:
    return text.split("\r")[1:]


def test_a_terminal_shows_how_many_trials_ended_on_one_line() -> None:
    stream = Terminal()
    told = progress_on(stream)
    assert told is not None
    for ended in (1, 2, 1_000):
        told(ended, 1_000)
    assert shown(stream.getvalue()) == ["1 of 1,000 trials", "2 of 1,000 trials", "1,000 of 1,000 trials\n"]


def test_where_nobody_watches_nothing_is_written() -> None:
    assert progress_on(io.StringIO()) is None
