"""Work for the threads of a store, and its way back to the event loops that wait for it.

A thread wakes a loop by a system call, so what ended together is handed back together.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from qmtl.core.errors import Exhausted, Unavailable

T = TypeVar("T")
A = TypeVar("A")
Call = tuple[asyncio.AbstractEventLoop, Callable[[], None]]


@dataclass(slots=True, eq=False)
class Job(Generic[A, T]):
    """A piece of work, made on the loop that waits for `done`; a caller that left meanwhile hears nothing."""

    work: Callable[[A], T]
    done: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tell who waits; only on its loop."""
        if self.done.done():
            return
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class Jobs(Generic[A]):
    """A queue of jobs with a limit, for one thread or several."""

    def __init__(self, pending_max: int) -> None:
        self._queue: queue.SimpleQueue[Job[A, Any] | None] = queue.SimpleQueue()
        self._pending_max = pending_max
        self._ended = False
        self._adding = threading.Lock()  # nothing comes behind the end

    def add(self, job: Job[A, Any]) -> None:
        """Raises Exhausted (E_DATABASE_BUSY) at the limit and Unavailable (E_DATABASE_CLOSED) after the end."""
        with self._adding:
            if self._ended:
                raise Unavailable("E_DATABASE_CLOSED", "the database is closed")
            if self._queue.qsize() >= self._pending_max:
                raise Exhausted(
                    "E_DATABASE_BUSY", f"{self._pending_max} database calls are waiting already", retry_after_s=0.2
                )
            self._queue.put(job)

    def end(self, threads: int) -> None:
        """Take no more; each thread is told once it has done what is before."""
        with self._adding:
            if not self._ended:
                self._ended = True
                for _ in range(threads):
                    self._queue.put(None)

    def next(self) -> Job[A, Any] | None:
        """The next that somebody waits for; None: the end."""
        while (job := self._queue.get()) is not None and job.done.cancelled():
            pass
        return job

    def more(self, most: int) -> tuple[list[Job[A, Any]], bool]:
        """Up to so many that are there, and whether the end is."""
        found: list[Job[A, Any]] = []
        with suppress(queue.Empty):
            while len(found) < most:
                job = self._queue.get_nowait()
                if job is None:
                    return found, True
                if not job.done.cancelled():
                    found.append(job)
        return found, False


class Threads:
    """Threads that each do one job at a time, started when they are needed first."""

    def __init__(self, threads: int, pending_max: int, name: str) -> None:
        self._most = threads
        self._name = name
        self._threads: list[threading.Thread] = []
        self._jobs: Jobs[None] = Jobs(pending_max)
        self._idle = 0
        self._changing = threading.Lock()

    def add(self, job: Job[None, Any]) -> None:
        """Raises as `Jobs.add` does."""
        self._jobs.add(job)
        with self._changing:
            if self._idle > 0:
                self._idle -= 1
            elif len(self._threads) < self._most:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Finish what was added, then end the threads."""
        self._jobs.end(len(self._threads))
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._jobs.next()) is not None:
            try:
                job.result = job.work(None)
            except BaseException as error:  # noqa: BLE001 - edge of a thread: who waits gets the error
                job.error = error
            hand_back([(job.done.get_loop(), job.settle)])
            del job  # what it holds is not kept until the next comes
            with self._changing:
                self._idle += 1


def hand_back(calls: Iterable[Call]) -> None:
    """Make calls on their loops, in order, waking each loop once; one that was closed is left alone."""
    of: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
    for loop, call in calls:
        of.setdefault(loop, []).append(call)
    for loop, mine in of.items():
        with suppress(RuntimeError):  # closed meanwhile: nobody waits there
            loop.call_soon_threadsafe(_soon, loop, mine)


def _soon(loop: asyncio.AbstractEventLoop, calls: list[Callable[[], None]]) -> None:
    for call in calls:
        loop.call_soon(call)
