"""Threads for database calls, with a limit on how many calls may wait for one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from qmtl.core.errors import Exhausted, Unavailable

T = TypeVar("T")


class BoundedPool:
    """A thread pool whose queue has a limit."""

    def __init__(self, workers: int, pending_max: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name)
        self._slots = threading.BoundedSemaphore(pending_max)
        self._pending_max = pending_max

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Raises Exhausted at the limit and Unavailable after close."""
        if not self._slots.acquire(blocking=False):
            raise Exhausted(
                "E_DATABASE_BUSY", f"{self._pending_max} database calls are waiting already", retry_after_s=0.2
            )
        try:
            done = self._threads.submit(work)
        except RuntimeError:
            self._slots.release()
            raise Unavailable("E_DATABASE_CLOSED", "the database is closed") from None
        done.add_done_callback(lambda _: self._slots.release())
        return done

    def close(self) -> None:
        """Finish what was submitted, then end the threads."""
        self._threads.shutdown(wait=True)
