"""Trials in processes of their own, which import the strategy and share what nodes of equal NodeID made.

They hear no Ctrl-C: the process that started them does, and ends them.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from qmtl.core.errors import Unavailable, refused
from qmtl.sdk.research.executors.importing import WANT, check_importable
from qmtl.sdk.research.trials import Params, Trial, Trials

_here: Trials | Exception


class Processes:
    """A pool of spawned processes. Raises InvalidRequest (E_FIELD) for a strategy that they cannot import."""

    def __init__(self, trials: Trials, workers: int) -> None:
        check_importable(trials.make, script=True)
        given = pickle.dumps(trials.shared(workers))
        self._started: set[BaseProcess] = set()
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (given,))

    def each(self, tries: Sequence[Params]) -> Iterator[tuple[int, Trial]]:
        """Trials as they end, with their place among the tries. Raises Unavailable (E_WORKER_DIED)."""
        try:
            futures = self._submitted(tries)
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise Unavailable(
                "E_WORKER_DIED",
                "a process that ran trials ended before they did: it was killed, or there was not enough memory",
                hint="run it again with fewer workers; a store keeps what had ended",
            ) from None

    def close(self) -> None:
        """End the processes that are idle."""
        self._pool.shutdown()

    def stop(self) -> None:
        """End the processes now, whatever they do."""
        for process in self._started:
            process.terminate()
        self._pool.shutdown(cancel_futures=True)

    def _submitted(self, tries: Sequence[Params]) -> dict[Future[Trial], int]:
        before = set(multiprocessing.active_children())
        with _deaf():
            futures = {self._pool.submit(_run, params): at for at, params in enumerate(tries)}
        self._started |= set(multiprocessing.active_children()) - before
        return futures


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started within inherits that SIGINT is blocked; here it is heard afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(given: bytes) -> None:
    global _here
    try:
        _here = pickle.loads(given)
    except (ImportError, AttributeError) as error:
        value = f"a strategy that other processes cannot import ({error})"
        _here = refused("E_FIELD", "make", value, WANT)


def _run(params: Params) -> Trial:
    if isinstance(_here, Exception):
        raise _here
    return _here.run(params)
