"""Runs of one strategy with other parameters: in this process or in a pool, each kept under what it was made of.

A trial's key covers its nodes, the data and the terms. So a store that is continued gives back only what would come out
the same, and nothing of other code, data or terms.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qmtl.calendars.published import DAYS_A_YEAR
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json, digest
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import source_series
from qmtl.sdk.engine.batch import run_graph
from qmtl.sdk.engine.series import Series
from qmtl.sdk.execution.backtest import Repeats, replay
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.stats.returns import daily

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats, Times

KEPT_SERIES = 512
"""Series of nodes that a process keeps, because trials share them."""

Maker = Callable[..., Strategy]
Value = int | float | str | bool
Params = Mapping[str, Value]
OnTrial = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One run: its parameters and metrics, and its equity at the end of each session, the first value before them.

    `per_year`: how many sessions a year has.
    """

    params: Params
    metrics: Mapping[str, float]
    day_ns: Times
    equity: Floats
    denied: int
    per_year: float = DAYS_A_YEAR


class Trials:
    """Runs `count` trials or so over the same bars and terms. `make(**params)` makes the strategy."""

    def __init__(self, make: Maker, data: Sequence[Bars], terms: AccountTerms, count: int = 1) -> None:
        self._make = make
        self._repeats = Repeats(count)
        self._data = tuple(data)
        self._terms = terms
        self._series: dict[str, Series] = {}
        parts = [b"".join((_kind(bars).encode(), bars.open_ns.tobytes(), bars.values.tobytes())) for bars in data]
        self._given = digest(b"".join([*(digest(part).encode() for part in parts), repr(terms).encode()]))

    def key(self, params: Params) -> str:
        """What a trial is made of. Raises what the strategy's setup raises."""
        return self._key(assemble(self._make(**params)))

    def run(self, params: Params) -> Trial:
        """One backtest."""
        assembled = assemble(self._make(**params))
        known = source_series(assembled.dag, self._data)
        ids = {vertex.node_id for vertex in assembled.dag.nodes}
        known |= {node_id: series for node_id, series in self._series.items() if node_id in ids}
        outputs = run_graph(assembled.dag, known)
        self._series.update((node_id, series) for node_id, series in outputs.by_id.items())
        for node_id in list(self._series)[: max(len(self._series) - KEPT_SERIES, 0)]:
            del self._series[node_id]
        found = replay(assembled, self._data, self._terms, outputs=outputs, repeats=self._repeats)
        self._repeats.runs = max(self._repeats.runs - 1, 1)
        times, equity = found.time_ns, found.equity_floats
        days, closes = daily(times, equity, found.sessions) if len(times) else (times, equity)
        opening = times[:1] - 1, equity[:1]
        return Trial(
            dict(params),
            dict(found.metrics),
            np.concatenate([opening[0], days]),
            np.concatenate([opening[1], closes]),
            len(found.denials),
            found.sessions.per_year,
        )

    def _key(self, assembled: Assembled) -> str:
        ids = sorted(vertex.node_id for vertex in assembled.dag.nodes)
        return digest("\n".join([self._given, *ids]).encode())


def _kind(bars: Bars) -> str:
    return f"{bars.symbol} {bars.interval_s} {bars.volume_unit.value} {len(bars)} "


_here: Trials


def _begin(make: Maker, data: Sequence[Bars], terms: AccountTerms, count: int) -> None:
    global _here
    _here = Trials(make, data, terms, count)


def _run(params: Params) -> Trial:
    return _here.run(params)


def run_trials(
    make: Maker,
    tries: Sequence[Params],
    data: Sequence[Bars],
    terms: AccountTerms,
    *,
    workers: int = 0,
    store: Path | None = None,
    on_trial: OnTrial | None = None,
) -> list[Trial]:
    """All tries, in their order. `workers` 0: in this process; else in as many of their own, which import `make`.
    `store`: a file that keeps each trial as it ends, and from which a later call takes what it has.

    Raises InvalidRequest (E_FIELD) for no tries, negative workers or a `make` that those cannot import, what a trial
    raises, BrokenProcessPool when a process dies: what had ended is in the store.
    """
    if not tries or workers < 0:
        raise refused("E_FIELD", "tries" if not tries else "workers", len(tries) if not tries else workers, "1 or more")
    if workers:
        _check_importable(make)
    here = Trials(make, data, terms, 1 if workers else len(tries))
    kept = TrialStore(store) if store is not None else None
    keys = [here.key(params) for params in tries] if kept else []
    found: dict[int, Trial] = {}
    for at, params in enumerate(tries):
        if kept and (known := kept.get(keys[at], params)) is not None:
            found[at] = known
    left = [at for at in range(len(tries)) if at not in found]
    for at, trial in _each(here, make, tries, left, data, terms, workers):
        found[at] = trial
        if kept:
            kept.put(keys[at], trial)
        if on_trial is not None:
            on_trial(len(found), len(tries))
    return [found[at] for at in range(len(tries))]


def _check_importable(make: Maker) -> None:
    try:
        pickle.dumps(make)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        want = "a class or function at the top of a module, or workers=0"
        raise refused("E_FIELD", "make", f"{make!r}, which other processes cannot import ({error})", want) from None


def _each(
    here: Trials,
    make: Maker,
    tries: Sequence[Params],
    left: Sequence[int],
    data: Sequence[Bars],
    terms: AccountTerms,
    workers: int,
) -> Iterator[tuple[int, Trial]]:
    if not workers:
        yield from ((at, here.run(tries[at])) for at in left)
        return
    begin = (make, data, terms, -(-len(left) // workers))
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=begin) as pool:
        futures = {pool.submit(_run, tries[at]): at for at in left}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class TrialStore:
    """Trials in a file, a line of JSON each; a line that a crash cut off is not read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Json]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            *whole, cut = path.read_bytes().split(b"\n")
            for line in whole:
                row = json.loads(line)
                self._known[row["key"]] = row
            if cut:
                with path.open("r+b") as file:
                    file.truncate(path.stat().st_size - len(cut))

    def get(self, key: str, params: Params) -> Trial | None:
        row = self._known.get(key)
        if row is None:
            return None
        times, equity = np.array(row["day_ns"], dtype=np.int64), np.array(row["equity"], dtype=np.float64)
        metrics, denied = row["metrics"], row["denied"]
        if not isinstance(metrics, dict) or not isinstance(denied, int):
            raise refused("E_FIELD", "store", str(self._path), "a file that a sweep has written")
        numbers = {name: float(str(value)) for name, value in metrics.items()}
        return Trial(dict(params), numbers, times, equity, denied, float(str(row["per_year"])))

    def put(self, key: str, trial: Trial) -> None:
        row: dict[str, Json] = {
            "key": key,
            "params": dict(trial.params),
            "metrics": dict(trial.metrics),
            "day_ns": trial.day_ns.tolist(),
            "equity": trial.equity.tolist(),
            "denied": trial.denied,
            "per_year": trial.per_year,
        }
        with self._path.open("ab") as file:
            file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def daily_returns(trials: Iterable[Trial]) -> tuple[Times, Floats]:
    """Days (n,) that any trial has and the returns (n, trials) of each on them: 0 where it had not begun yet or had
    nothing left.
    """
    listed = list(trials)
    days = np.unique(np.concatenate([trial.day_ns[1:] for trial in listed]))
    returns = np.zeros((len(days), len(listed)))
    for column, trial in enumerate(listed):
        if len(trial.equity) > 1:
            at = np.searchsorted(days, trial.day_ns[1:])
            before, change = trial.equity[:-1], np.diff(trial.equity)
            returns[at, column] = np.divide(change, before, out=np.zeros_like(change), where=before > 0.0)
    return days, returns
