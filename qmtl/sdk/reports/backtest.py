"""The result of a local backtest: it prints readably, turns into JSON and draws itself.

Numbers of the local replay stand apart from what a world decided: a backtest without a mesh says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.reports.benchmark import benchmark_metrics
from qmtl.sdk.reports.denials import assumption_lines, denial_lines, shortfall
from qmtl.sdk.reports.documents import replay_json
from qmtl.sdk.reports.tables import metrics_table, render, show_metric
from qmtl.sdk.reports.tearsheet import Sheet, tearsheet_html
from qmtl.sdk.reports.trade_frame import TradeRow, local_report, trade_frame, trade_rows

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console, ConsoleOptions, RenderResult

NOT_AUTHORITATIVE = "local backtest, not authoritative: a world decides by its own evaluation"

_COMPARED = ("total_return", "sharpe", "max_drawdown")


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """A local backtest: name, replay, the bars it traded on, and the terms it began with."""

    name: str
    replay: RunResult
    bars: tuple[Bars, ...]
    terms: AccountTerms = field(default_factory=AccountTerms)

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.replay.metrics

    @property
    def benchmark(self) -> Mapping[str, float]:
        """Metrics of the same money in what was traded, bought once and held, without fees; none over splits or
        dividends, of which the prices alone say nothing.
        """
        if any(action.symbol in {each.symbol for each in self.bars} for action in self.terms.actions):
            return {}
        return benchmark_metrics(self.replay, self.bars)

    @property
    def trade_rows(self) -> list[TradeRow]:
        """Each closed lot, exact."""
        return trade_rows(self.replay, local_report(self.replay, self.bars, self.terms), self.bars)

    @property
    def trades(self) -> pl.DataFrame:
        """Each closed lot as a row: entry, exit, quantity, prices, fees, net, MAE, MFE, bars held, why it ended."""
        return trade_frame(self.trade_rows)

    @property
    def denials(self) -> tuple[DeniedOrder, ...]:
        return self.replay.denials

    def tearsheet(self, path: str | Path) -> Path:
        """Write one HTML file with its pictures inside; needs the extra [demo].

        Raises NotReady (E_NO_MATPLOTLIB), and what trade_rows raises.
        """
        sheet = Sheet(
            self.name,
            NOT_AUTHORITATIVE,
            shortfall(self.replay),
            self.replay,
            self.bars,
            self.trade_rows,
            self.benchmark,
        )
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(tearsheet_html(sheet), encoding="utf-8")
        return target

    def to_json(self) -> str:
        """The result as a JSON document; money as decimal strings, times in ISO 8601."""
        return json.dumps({"name": self.name, "authoritative": False, "replay": replay_json(self.replay)}, indent=2)

    def plot(self, path: str | Path) -> Path:
        """Draw equity, drawdown and trades on price into a picture file; needs the extra [demo]."""
        from qmtl.sdk.reports.plots import draw_replay

        return draw_replay(self.name, self.replay, self.bars, Path(path))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.markup import escape

        problem = shortfall(self.replay)
        said = f"[red]{escape(problem)}[/red]" if problem else f"[dim]{NOT_AUTHORITATIVE}[/dim]"
        yield f"[bold]{escape(self.name)}[/bold]  {said}"
        yield from assumption_lines(self.replay)
        yield from denial_lines(self.replay)
        yield metrics_table(self.replay.metrics)
        per_year = self.replay.sessions.per_year
        yield f"[dim]ratios of {per_year:g} sessions a year, by the calendar of what it trades[/dim]"
        held = self.benchmark
        if held:
            shown = ", ".join(f"{name} {show_metric(name, held[name])}" for name in _COMPARED if name in held)
            yield f"[dim]buy and hold: {shown}[/dim]"
        if problem:
            yield f"[dim]{NOT_AUTHORITATIVE}[/dim]"

    def __str__(self) -> str:
        return render(self)
