"""The result of a local backtest: it prints readably, turns into JSON and draws itself.

Numbers of the local replay stand apart from what a world decided: a backtest without a mesh says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.reports.denials import assumption_lines, denial_lines, shortfall
from qmtl.sdk.reports.documents import replay_json
from qmtl.sdk.reports.tables import metrics_table, render

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

NOT_AUTHORITATIVE = "local backtest, not authoritative: a world decides by its own evaluation"


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """A local backtest: name, replay, and the bars it traded on (for the plot)."""

    name: str
    replay: RunResult
    bars: tuple[Bars, ...]

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.replay.metrics

    def to_json(self) -> str:
        """The result as a JSON document; money as decimal strings, times in ISO 8601."""
        return json.dumps({"name": self.name, "authoritative": False, "replay": replay_json(self.replay)}, indent=2)

    def plot(self, path: str | Path) -> Path:
        """Draw equity, drawdown and trades on price into a picture file; needs the extra [demo]."""
        from qmtl.sdk.reports.plots import draw_replay

        return draw_replay(self.name, self.replay, self.bars, Path(path))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        problem = shortfall(self.replay)
        yield f"[bold]{self.name}[/bold]  {f'[red]{problem}[/red]' if problem else f'[dim]{NOT_AUTHORITATIVE}[/dim]'}"
        yield from assumption_lines(self.replay)
        yield metrics_table(self.replay.metrics)
        yield from denial_lines(self.replay)
        if problem:
            yield f"[dim]{NOT_AUTHORITATIVE}[/dim]"

    def __str__(self) -> str:
        return render(self)
