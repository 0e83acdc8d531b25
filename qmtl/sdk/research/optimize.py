"""A seeded random search that is tested walking forward: chosen on what came before, run on what came after.

Each try runs once over all of history; what is chosen for a test is the best of the training span by its daily equity
there, and is then run afresh, flat, over the test alone. Between tests positions are closed: what that would cost is in
each run's fees only where it traded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.reports.tables import render, show_metric
from qmtl.sdk.research.splits import Split, WalkForward
from qmtl.sdk.research.sweep import LOWER_IS_BETTER, best_of, trial_table, value_of
from qmtl.sdk.research.trials import Maker, OnTrial, Params, Trial, Trials, Value, run_trials
from qmtl.sdk.research.verdict import Verdict, verdict_of
from qmtl.stats.performance import performance
from qmtl.stats.ratios import sharpe
from qmtl.stats.returns import Sessions, returns_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from qmtl.core.arrays import Floats

SHOWN = 5
_DRAWS_PER_TRY = 50


@dataclass(frozen=True, slots=True)
class Between:
    """A number from low to high, both included: whole if both are."""

    low: float
    high: float

    def draw(self, random: np.random.Generator) -> Value:
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(random.integers(self.low, self.high + 1))
        return float(random.uniform(self.low, self.high))


Space = Mapping[str, Sequence[Value] | Between]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One step of walking forward: what was chosen by `trained` (the objective in training), and its run afterwards."""

    split: Split
    params: Params
    trained: float
    test: Trial


@dataclass(frozen=True, slots=True, eq=False)
class OptimizeResult:
    """Tries in the order they were drawn, the folds, and the verdict on the best try."""

    trials: Sequence[Trial]
    folds: Sequence[Fold]
    objective: str
    verdict: Verdict

    @property
    def best(self) -> Trial:
        """The best over all of history: found with hindsight, significant or not."""
        return max(self.trials, key=lambda trial: value_of(trial, self.objective))

    @property
    def out_of_sample_returns(self) -> Floats:
        """Daily returns of the tests, one after the other."""
        return np.concatenate([returns_of(fold.test.equity) for fold in self.folds])

    @property
    def out_of_sample_sharpe(self) -> float:
        return sharpe(self.out_of_sample_returns, self.best.per_year)

    @property
    def winner(self) -> Trial | None:
        """The best, if it is significant and the choices made before their tests earned in them."""
        return self.best if self.verdict.significant and self.out_of_sample_sharpe > 0.0 else None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.table import Table

        yield f"[bold]{len(self.trials)} tries by {self.objective}[/bold]  {self.verdict}"
        ratio = self.out_of_sample_sharpe
        yield f"out of sample: sharpe {'unknown' if math.isnan(ratio) else f'{ratio:.3f}'} over {len(self.folds)} tests"
        if self.winner is None:
            yield "[red]no winner: nothing here may be called significant[/red]"
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("test from", "until", "chosen", f"{self.objective} before", "after", "return after"):
            table.add_column(column)
        for fold in self.folds:
            begin, end = (timestamp_text(from_ns(each))[:10] for each in fold.split.test)
            chosen = " ".join(f"{name}={value}" for name, value in fold.params.items())
            after = (fold.test.metrics.get(name) for name in (self.objective, "total_return"))
            cells = (
                "-" if each is None else show_metric(name, each) for name, each in zip(("", "cagr"), after, strict=True)
            )
            table.add_row(begin, end, chosen, f"{fold.trained:.3f}", *cells)
        yield table
        ranked = sorted(self.trials, key=lambda trial: -value_of(trial, self.objective))
        yield trial_table(ranked[:SHOWN], self.objective)

    def __str__(self) -> str:
        return render(self)


def optimize(
    make: Maker,
    space: Space,
    data: Sequence[Bars],
    *,
    objective: str = "sharpe",
    trials: int = 50,
    seed: int = 0,
    walk_forward: WalkForward | None = None,
    terms: AccountTerms | None = None,
    workers: int = 0,
    store: Path | None = None,
    on_trial: OnTrial | None = None,
) -> OptimizeResult:
    """Try `trials` different points of a space, drawn at random by the seed, and test the choice walking forward.

    `objective`: a metric of daily equity (sharpe, sortino, total_return, calmar ...).

    Raises InvalidRequest (E_FIELD) for an empty space, one with fewer points, an objective that no try has, of all
    history or of the training of a test; and as run_trials.
    """
    terms, forward = terms or AccountTerms(), walk_forward or WalkForward()
    tries = list(_drawn(space, trials, np.random.default_rng(seed)))
    found = run_trials(make, tries, data, terms, workers=workers, store=store, on_trial=on_trial)
    best = best_of(found, objective)
    start = min(int(bars.open_ns[0]) for bars in data)
    end = max(int(bars.close_ns[-1]) for bars in data)
    folds = [_fold(make, split, found, data, objective, terms) for split in forward.splits(start, end)]
    return OptimizeResult(found, folds, objective, verdict_of(found, best))


def _drawn(space: Space, count: int, random: np.random.Generator) -> Iterator[Params]:
    if not space or count < 1:
        raise refused("E_FIELD", "space" if not space else "trials", len(space) if not space else count, "1 or more")
    seen: set[tuple[Value, ...]] = set()
    for _ in range(count * _DRAWS_PER_TRY):
        point = tuple(
            each.draw(random) if isinstance(each, Between) else each[int(random.integers(len(each)))]
            for each in space.values()
        )
        if point not in seen:
            seen.add(point)
            yield dict(zip(space, point, strict=True))
        if len(seen) == count:
            return
    raise refused("E_FIELD", "trials", count, f"no more than the points of the space; {len(seen)} were found")


def _fold(
    make: Maker, split: Split, trials: Sequence[Trial], data: Sequence[Bars], objective: str, terms: AccountTerms
) -> Fold:
    scores = [_within(trial, split, objective) for trial in trials]
    if np.isnan(scores).all():
        spans = ", ".join("..".join(timestamp_text(from_ns(at)) for at in span) for span in split.train)
        want = f"a metric of daily equity that a try has over its training, {spans}"
        raise refused("E_FIELD", "objective", objective, want, hint="longer training, or another objective")
    better = np.negative(scores) if objective in LOWER_IS_BETTER else np.array(scores)
    best = int(np.argmax(np.where(np.isnan(better), -np.inf, better)))
    begin, end = split.test
    until = [bars.between(None, end - bars.interval_s * 1_000_000_000 + 1) for bars in data]
    test = Trials(make, until, replace(terms, start=from_ns(begin))).run(trials[best].params)
    return Fold(split, trials[best].params, scores[best], test)


def _within(trial: Trial, split: Split, objective: str) -> float:
    """The objective of a trial over the days that end within training."""
    inside = np.zeros(len(trial.day_ns), dtype=np.bool_)
    for begin, end in split.train:
        inside |= (trial.day_ns > begin) & (trial.day_ns <= end)
    if inside.sum() < 2:
        return math.nan
    sessions = Sessions(trial.per_year, trial.day_ns[1:])
    found = performance(trial.day_ns[inside], trial.equity[inside], (), sessions=sessions)
    return found.get(objective, math.nan)
