"""A sweep: every point of a grid of parameters, ranked, with a verdict on the best."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import NotReady, refused
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.reports.tables import render, show_metric
from qmtl.sdk.research.options import TrialSettings
from qmtl.sdk.research.runs import trial_runs
from qmtl.sdk.research.trials import Maker, Params, Trial, Trials, Value
from qmtl.sdk.research.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

TRIES_MAX = 100_000
SHOWN = 10
LOWER_IS_BETTER = frozenset(
    {"max_drawdown", "volatility", "ulcer_index", "var_99", "es_99", "es_975", "cv_sharpe_std", "fees_paid", "turnover"}
)
"""Metrics of which a sweep or a search looks for the least."""
_COLUMNS = ("sharpe", "total_return", "max_drawdown", "n_trades")


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """Trials in the order of the grid, and what they were ranked by."""

    trials: Sequence[Trial]
    objective: str
    verdict: Verdict

    @property
    def ranked(self) -> list[Trial]:
        """Best first; those without the objective last."""
        return sorted(self.trials, key=lambda trial: -value_of(trial, self.objective))

    @property
    def best(self) -> Trial:
        """The first of the ranking, significant or not."""
        return self.ranked[0]

    @property
    def winner(self) -> Trial | None:
        """The best, if it is significant."""
        return self.best if self.verdict.significant else None

    @property
    def frame(self) -> pl.DataFrame:
        """A row a trial, in the order of the grid: its parameters, its metrics, and how many orders were denied."""
        import polars as pl

        return pl.DataFrame(
            [{**t.params, **t.metrics, "denied": t.denied} for t in self.trials], infer_schema_length=None
        )

    def heat_map(self, x: str, y: str, path: str | Path) -> Path:
        """Draw the best objective at each pair of two parameters. Raises InvalidRequest (E_FIELD), NotReady."""
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
        xs, ys, values = self.table(x, y)
        figure = Figure(figsize=(2 + 0.7 * len(xs), 2 + 0.5 * len(ys)), layout="constrained")
        axes = figure.subplots()
        drawn = axes.imshow(values, origin="lower", aspect="auto", cmap="RdYlGn")
        axes.set_xticks(range(len(xs)), [str(value) for value in xs])
        axes.set_yticks(range(len(ys)), [str(value) for value in ys])
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        width = int(9 * figure.get_figwidth())  # letters of that size, so that none are cut off
        axes.set_title(textwrap.fill(str(self.verdict), width), fontsize="x-small")
        figure.colorbar(drawn, label=self.objective)
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=110)
        return target

    def table(self, x: str, y: str) -> tuple[list[Value], list[Value], np.ndarray]:
        """Values of two parameters and the best objective (y, x) at each pair; NaN where there is none."""
        for name in (x, y):
            if name not in self.trials[0].params:
                raise refused("E_FIELD", "parameter", name, "one of " + ", ".join(self.trials[0].params))
        xs, ys = (list(dict.fromkeys(trial.params[name] for trial in self.trials)) for name in (x, y))
        values = np.full((len(ys), len(xs)), np.nan)
        best = np.fmin if self.objective in LOWER_IS_BETTER else np.fmax
        for trial in self.trials:
            at = ys.index(trial.params[y]), xs.index(trial.params[x])
            values[at] = best(values[at], trial.metrics.get(self.objective, np.nan))
        return xs, ys, values

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield f"[bold]{len(self.trials)} trials by {self.objective}[/bold]  {self.verdict}"
        yield trial_table(self.ranked[:SHOWN], self.objective)

    def __str__(self) -> str:
        return render(self)


def sweep(
    make: Maker,
    grid: Mapping[str, Sequence[Value]],
    data: Sequence[Bars],
    settings: TrialSettings,
) -> SweepResult:
    """Run every point of a grid, `make(**point)`.

    Raises as trial_runs; InvalidRequest (E_FIELD) for a bad grid, or an objective that no trial has.
    """
    if not grid or not all(grid.values()):
        raise refused("E_FIELD", "grid", dict(grid), "values for each parameter")
    if (count := math.prod(len(values) for values in grid.values())) > TRIES_MAX:
        raise refused("E_FIELD", "grid", f"{count} points", f"at most {TRIES_MAX}")
    tries: list[Params] = [dict(zip(grid, point, strict=True)) for point in product(*grid.values())]
    with trial_runs(Trials(make, data, settings.terms or AccountTerms(), len(tries)), settings) as runs:
        trials = runs.run(tries)
    best = best_of(trials, settings.objective)
    return SweepResult(trials, settings.objective, verdict_of(trials, best))


def value_of(trial: Trial, objective: str) -> float:
    """The objective of a trial as what is better the higher it is; what has none is below everything."""
    value = trial.metrics.get(objective, math.inf if objective in LOWER_IS_BETTER else -math.inf)
    return -value if objective in LOWER_IS_BETTER else value


def best_of(trials: Sequence[Trial], objective: str) -> Trial:
    """The best of some trials. Raises InvalidRequest (E_FIELD) for an objective that none has."""
    if not any(objective in trial.metrics for trial in trials):
        have = sorted({name for trial in trials for name in trial.metrics})
        want = "one of " + ", ".join(have) if have else "bars enough for the warm-up of one trial"
        raise refused("E_FIELD", "objective", objective, want)
    return max(trials, key=lambda trial: value_of(trial, objective))


def trial_table(trials: Sequence[Trial], objective: str) -> Table:
    """Trials for rich, in the given order."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    names, metrics = list(trials[0].params), [objective, *(name for name in _COLUMNS if name != objective)]
    for column in (*names, *metrics, "denied"):
        table.add_column(column, justify="right")
    for trial in trials:
        shown = (show_metric(name, trial.metrics[name]) if name in trial.metrics else "-" for name in metrics)
        table.add_row(*(Text(str(trial.params[name])) for name in names), *shown, str(trial.denied))
    return table
