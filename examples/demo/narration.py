"""How the story is told: headings of chapters, and the fills of a paper session over a bar that shows how far it is."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from qmtl.core.instants import NS_PER_S
from qmtl.sdk import FillEvent
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.mesh.session.events import BarDone, CaughtUp, SessionEvent
from qmtl.sdk.reports.documents import iso


def chapter(console: Console, title: str) -> None:
    """Begin a chapter."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


class Narration:
    """A listener of one session; where the console is no terminal, a line a day replaces the bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("  {task.description}"), BarColumn(40), TextColumn("{task.percentage:3.0f} %"))
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("waiting for the first bar", total=None)
        self._day = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def heard(self, event: SessionEvent) -> None:
        """Tell of one event."""
        if isinstance(event, BarDone):
            self._bar(event)
        elif isinstance(event, FillEvent):
            side, colour = ("bought", "green") if event.quantity > 0 else ("sold", "red")
            shown = f"{abs(event.quantity).normalize():f} at {event.price:,}, fee {event.fee:.2f} {event.fee_currency}"
            self._say(f"  {iso(event.time_ns)}  [{colour}]{side:<6}[/{colour}] {shown}")
        elif isinstance(event, CaughtUp):
            self._say(f"  {iso(event.time_ns)}  [yellow]{event.bars} closes before were followed only[/yellow]")
        elif isinstance(event, DeniedOrder):
            self._say(f"  {iso(event.time_ns)}  [yellow]not now: {event.rule}[/yellow]")

    def _bar(self, bar: BarDone) -> None:
        day = iso(bar.time_ns - 1)[:10]
        if self._progress.disable:
            if day != self._day:
                self._say(f"  {day}")
        else:
            span_s = (bar.end_ns - bar.start_ns) // NS_PER_S or None
            done_s = (bar.time_ns - bar.start_ns) // NS_PER_S
            self._progress.update(self._task, description=f"{day}, {bar.bars} bars", completed=done_s, total=span_s)
        self._day = day

    def _say(self, line: str) -> None:
        self._progress.console.print(line)
