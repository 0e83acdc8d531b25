"""A seeded search that is tested walking forward: chosen on what came before, run on what came after.

Each try runs once over all of history; what is chosen for a test is the best of the training span by its daily equity
there, and is then run afresh, flat, over the test alone. Between tests positions are closed: what that would cost is in
each run's fees only where it traded.

A random search draws its tries without looking at any result, so one set of them serves all of history and each fold. A
search that learns would have looked at the tests: it is made anew for each fold, by what the fold is trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.reports.tables import render, show_metric
from qmtl.sdk.research import adaptive
from qmtl.sdk.research.options import TrialSettings
from qmtl.sdk.research.runs import TrialRuns, trial_runs
from qmtl.sdk.research.spaces import Point, Space, check_space, drawn, point_of
from qmtl.sdk.research.splits import Split, WalkForward
from qmtl.sdk.research.sweep import LOWER_IS_BETTER, best_of, trial_table, value_of
from qmtl.sdk.research.trials import Maker, Params, Trial, Trials
from qmtl.sdk.research.verdict import Verdict, verdict_of
from qmtl.stats.performance import performance
from qmtl.stats.ratios import sharpe
from qmtl.stats.returns import Sessions, returns_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from qmtl.core.arrays.types import Floats

SHOWN = 5
RANDOM, TPE = "random", "tpe"
Choice = tuple[Params, float]
"""What a fold chose, and its objective in training."""


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


@dataclass(frozen=True, slots=True)
class Draw:
    """How many points are tried, from which seed, and by whom they are drawn: `random`, or `tpe`, which learns.

    What learns makes as many tries over all of history and as many again for each fold.
    """

    trials: int
    seed: int
    sampler: str


def optimize(
    make: Maker,
    space: Space,
    data: Sequence[Bars],
    settings: TrialSettings,
    draw: Draw,
    walk_forward: WalkForward | None = None,
) -> OptimizeResult:
    """Try different points of a space, drawn by the seed, and test the choice walking forward.

    Raises InvalidRequest (E_FIELD) for an empty space, one with fewer points, another sampler, an objective that no try
    has, of all history or of the training of a test; NotReady (E_NO_OPTUNA); and as trial_runs.
    """
    check_space(space, draw.trials)
    if draw.sampler not in (RANDOM, TPE):
        raise refused("E_FIELD", "sampler", repr(draw.sampler), f"{RANDOM!r} or {TPE!r}")
    terms, forward = settings.terms or AccountTerms(), walk_forward or WalkForward()
    learns, objective = draw.sampler == TPE, settings.objective
    start = min(int(bars.open_ns[0]) for bars in data)
    splits = list(forward.splits(start, max(int(bars.close_ns[-1]) for bars in data)))
    everything = Trials(make, data, terms, draw.trials * (1 + len(splits) if learns else 1))
    with trial_runs(everything, settings) as runs:
        search = _Search(runs, space, draw.trials, objective)
        found, chosen = search.learning(draw.seed, splits) if learns else search.at_random(draw.seed, splits)
    best = best_of(found, objective)
    folds = [_tested(everything, choice, split) for split, choice in zip(splits, chosen, strict=True)]
    return OptimizeResult(found, folds, objective, verdict_of(found, best))


class _Search:
    """Tries over all of history, and which of them each fold would have chosen before its test."""

    def __init__(self, runs: TrialRuns, space: Space, count: int, objective: str) -> None:
        self._runs = runs
        self._space = space
        self._count = count
        self._objective = objective
        self._known: dict[Point, Trial] = {}

    def at_random(self, seed: int, splits: Sequence[Split]) -> tuple[list[Trial], list[Choice]]:
        """One set of tries for everything."""
        found = self._runs.run(list(drawn(self._space, self._count, np.random.default_rng(seed), set())))
        best_of(found, self._objective)
        return found, [self._chosen(found, split) for split in splits]

    def learning(self, seed: int, splits: Sequence[Split]) -> tuple[list[Trial], list[Choice]]:
        """Tries that learn from all of history, and for each fold others that learn from its training alone."""

        def search(score: adaptive.Score) -> list[Trial]:
            return adaptive.search(self._space, self._count, seed, self._run, score)

        best_of(search(lambda trial: value_of(trial, self._objective)), self._objective)
        chosen = [self._chosen(search(partial(self._trained, split)), split) for split in splits]
        return list(self._known.values()), chosen

    def _run(self, tries: Sequence[Params]) -> list[Trial]:
        fresh = [params for params in tries if point_of(params) not in self._known]
        if fresh:
            self._known.update((point_of(trial.params), trial) for trial in self._runs.run(fresh))
        return [self._known[point_of(params)] for params in tries]

    def _trained(self, split: Split, trial: Trial) -> float:
        """What a trial came to in training, better the higher; NaN where there is nothing."""
        value = _within(trial, split, self._objective)
        return -value if self._objective in LOWER_IS_BETTER else value

    def _chosen(self, trials: Sequence[Trial], split: Split) -> Choice:
        scores = np.array([self._trained(split, trial) for trial in trials])
        if np.isnan(scores).all():
            spans = ", ".join("..".join(timestamp_text(from_ns(at)) for at in span) for span in split.train)
            want = f"a metric of daily equity that a try has over its training, {spans}"
            raise refused("E_FIELD", "objective", self._objective, want, hint="longer training, or another objective")
        best = trials[int(np.argmax(np.where(np.isnan(scores), -np.inf, scores)))]
        return best.params, _within(best, split, self._objective)


def _tested(trials: Trials, choice: Choice, split: Split) -> Fold:
    (params, trained), (begin, end) = choice, split.test
    return Fold(split, params, trained, trials.within(begin, end).run(params))


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
