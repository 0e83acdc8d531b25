"""Trials run by an executor, kept in a store as they end and counted for whoever listens."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from qmtl.core.errors import refused
from qmtl.sdk.research.executors.choice import DASK, Executor
from qmtl.sdk.research.executors.cluster import Cluster
from qmtl.sdk.research.executors.processes import Processes
from qmtl.sdk.research.options import OnTrial, TrialSettings
from qmtl.sdk.research.progress import progress_on
from qmtl.sdk.research.trial_store import TrialStore
from qmtl.sdk.research.trials import Params, Trial, Trials


class Execution(Protocol):
    """Runs tries somewhere."""

    def each(self, tries: Sequence[Params]) -> Iterator[tuple[int, Trial]]:
        """Trials as they end, with their place among the tries."""

    def close(self) -> None:
        """Leave after the last try."""

    def stop(self) -> None:
        """Leave in the middle."""


class Here:
    """This process, one try after the other."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials

    def each(self, tries: Sequence[Params]) -> Iterator[tuple[int, Trial]]:
        yield from ((at, self._trials.run(params)) for at, params in enumerate(tries))

    def close(self) -> None:
        """Nothing is held."""

    def stop(self) -> None:
        """Nothing goes on."""


class TrialRuns:
    """Runs tries, taking from the store what it has."""

    def __init__(
        self, trials: Trials, execution: Execution, store: TrialStore | None, on_trial: OnTrial | None
    ) -> None:
        self._trials = trials
        self._execution = execution
        self._store = store
        self._on_trial = on_trial

    def run(self, tries: Sequence[Params]) -> list[Trial]:
        """All tries, in their order. Raises what a trial raises, and what its executor raises when it is lost."""
        if not tries:
            raise refused("E_FIELD", "tries", 0, "1 or more")
        found: dict[int, Trial] = {}
        keys = [self._trials.key(params) for params in tries] if self._store else []
        for at, params in enumerate(tries):
            if self._store and (known := self._store.get(keys[at], params)) is not None:
                found[at] = known
        left = [at for at in range(len(tries)) if at not in found]
        if left:
            for place, trial in self._execution.each([tries[at] for at in left]):
                at = left[place]
                found[at] = trial
                if self._store:
                    self._store.put(keys[at], trial)
                if self._on_trial is not None:
                    self._on_trial(len(found), len(tries))
        return [found[at] for at in range(len(tries))]


@contextmanager
def trial_runs(trials: Trials, settings: TrialSettings) -> Iterator[TrialRuns]:
    """An executor and a store, open. Whatever ends this before its end stops what runs.

    Raises Conflict (E_STORE_IN_USE), InvalidRequest (E_FIELD), and what the executor raises when it is opened.
    """
    executor = Executor(settings.executor, settings.workers, settings.cluster)
    with ExitStack() as opened:
        kept = opened.enter_context(TrialStore(Path(settings.store))) if settings.store is not None else None
        execution = _opened(trials, executor)
        try:
            yield TrialRuns(trials, execution, kept, settings.on_trial or progress_on(sys.stderr))
        except BaseException:
            execution.stop()
            raise
        execution.close()


def _opened(trials: Trials, executor: Executor) -> Execution:
    if executor.name == DASK:
        return Cluster(trials, executor.cluster)
    return Processes(trials, executor.workers) if executor.workers else Here(trials)
