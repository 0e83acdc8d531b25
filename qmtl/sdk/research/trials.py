"""Trials: runs of one strategy over the same bars with other parameters, each known by what it was made of.

A trial's key covers its nodes, the data, the terms and the version of qmtl. So a store that is continued gives back
only what would come out the same, and nothing of other code, data or terms; a process with other code is found out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from qmtl.calendars.published import DAYS_A_YEAR
from qmtl.core.identity.canonical import digest
from qmtl.core.instants import NS_PER_S, from_ns
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
    from qmtl.core.arrays.types import Floats, Times

KEPT_SERIES = 512
"""Series of nodes that a process keeps, because trials share them."""

_VERSION = version("qmtl")

Maker = Callable[..., Strategy]
Value = int | float | str | bool
Params = Mapping[str, Value]


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
    """Runs `count` trials or so over the same bars and terms, in any thread. `make(**params)` makes the strategy.

    Pickled, it is what it was made of; series are computed again where it arrives.
    """

    def __init__(self, make: Maker, data: Sequence[Bars], terms: AccountTerms, count: int = 1) -> None:
        self.make = make
        self._repeats = Repeats(count)
        self._data = tuple(data)
        self._terms = terms
        self._series: dict[str, Series] = {}
        self._lock = threading.Lock()
        parts = [b"".join((_kind(bars).encode(), bars.open_ns.tobytes(), bars.values.tobytes())) for bars in data]
        self._given = digest(
            b"".join([*(digest(part).encode() for part in parts), _text((terms, terms.brokerage, _VERSION)).encode()])
        )

    def __reduce__(self) -> tuple[object, ...]:
        return Trials, (self.make, self._data, self._terms, self._repeats.runs)

    def shared(self, processes: int) -> Trials:
        """The part of one of several processes."""
        return Trials(self.make, self._data, self._terms, -(-self._repeats.runs // processes))

    def within(self, begin_ns: int, end_ns: int) -> Trials:
        """Trials that begin flat at an instant, on what was known before it, and end at another."""
        until = [bars.between(None, end_ns - bars.interval_s * NS_PER_S + 1) for bars in self._data]
        return Trials(self.make, until, replace(self._terms, start=from_ns(begin_ns)))

    def key(self, params: Params) -> str:
        """What a trial is made of. Raises what the strategy's setup raises."""
        return self._key(assemble(self.make(**params)))

    def run(self, params: Params) -> Trial:
        """One backtest."""
        assembled = assemble(self.make(**params))
        known = source_series(assembled.dag, self._data)
        ids = {vertex.node_id for vertex in assembled.dag.nodes}
        with self._lock:
            known |= {node_id: series for node_id, series in self._series.items() if node_id in ids}
        outputs = run_graph(assembled.dag, known)
        with self._lock:
            self._series.update((node_id, series) for node_id, series in outputs.by_id.items())
            for node_id in list(self._series)[: max(len(self._series) - KEPT_SERIES, 0)]:
                del self._series[node_id]
        found = replay(assembled, self._data, self._terms, outputs=outputs, repeats=self._repeats)
        with self._lock:
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


def _text(value: object) -> str:
    """A value as one text in every process: sets have no order there, and a name says nothing of a profile's fees."""
    if is_dataclass(value):
        parts = [f"{one.name}={_text(getattr(value, one.name))}" for one in fields(value)]
    elif isinstance(value, Mapping):
        parts = sorted(f"{_text(key)}: {_text(one)}" for key, one in value.items())
    elif isinstance(value, Set):
        parts = sorted(map(_text, value))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        parts = [_text(one) for one in value]
    else:
        return repr(value)
    return f"{type(value).__qualname__}({', '.join(parts)})"


def _kind(bars: Bars) -> str:
    return f"{bars.symbol} {bars.interval_s} {bars.volume_unit.value} {len(bars)} "


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
