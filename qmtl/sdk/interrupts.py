"""Ctrl-C in a call of the Runner: what was under way is ended, and KeyboardInterrupt says so in one sentence.

A script that does not catch it ends as any program that SIGINT ends (130 in a shell), with that sentence instead of a
traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
BEGIN_S = 5.0
"""How long a thread may take to begin."""


@contextmanager
def interruptible(what: str, stays: str = "") -> Iterator[None]:
    """Gives KeyboardInterrupt a text: what was stopped, what stays of it, and notes that were added on the way out."""
    try:
        yield
    except KeyboardInterrupt as error:
        if error.args:
            raise
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = _told
        parts = [f"interrupted: the {what} was stopped", *filter(None, [stays]), *_notes(error)]
        raise KeyboardInterrupt("; ".join(parts)) from None


def run_beside(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop of another thread; KeyboardInterrupt here cancels it and is raised once it has ended."""
    loop, begun, over = asyncio.new_event_loop(), threading.Event(), threading.Event()
    tasks: list[asyncio.Task[T]] = []
    ended: list[T | BaseException] = []

    async def known() -> T:
        tasks.extend(filter(None, [asyncio.current_task()]))
        begun.set()
        return await work

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                ended.append(runner.run(known()))
            except BaseException as error:  # noqa: BLE001  # it is raised in the thread that waits
                ended.append(error)
        over.set()

    try:
        threading.Thread(target=run, name="qmtl-runner").start()  # which waits too, so that it may be interrupted
        over.wait()  # not join(): interrupted, it takes a running thread for one that has ended
    except KeyboardInterrupt as error:
        if not begun.wait(BEGIN_S):  # interrupted before there was a thread
            work.close()
            raise
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile, and its loop with it
            loop.call_soon_threadsafe(tasks[0].cancel)
        over.wait()
        raise error from next((each for each in ended if isinstance(each, BaseException)), None)
    (found,) = ended
    if isinstance(found, BaseException):
        raise found
    return found


def _notes(error: BaseException | None) -> list[str]:
    """Notes of an exception and of those that it came from."""
    found: list[str] = []
    while error is not None:
        found += [note for note in getattr(error, "__notes__", ()) if note not in found]
        error = error.__cause__ or error.__context__
    return found


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The hook of the interpreter, with one line for an interrupted call."""
    if isinstance(error, KeyboardInterrupt) and error.args:
        print(error, file=sys.stderr)  # noqa: T201  # the last word of a program that nobody catches it in
    else:
        sys.__excepthook__(kind, error, trace)
