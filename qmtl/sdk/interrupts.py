"""How a call of the Runner ends that does not return: by Ctrl-C, or by an error of the tree.

At Ctrl-C what was under way is ended, and KeyboardInterrupt says so in one sentence. A script that does not catch it
ends as any program that SIGINT ends (130 in a shell), with that sentence instead of a traceback. An error of the tree
says what is wrong: a script that does not catch it ends with the line of its own to look at and that sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from qmtl.core.errors import QmtlError

T = TypeVar("T")
_ROOT = Path(__file__).resolve().parents[2]
NOT_THE_USERS = (
    *(f"{_ROOT / name}{os.sep}" for name in ("qmtl", "gen", "brokerage")),
    *(f"{Path(sysconfig.get_path(name))}{os.sep}" for name in ("stdlib", "purelib", "platlib")),
    "<",
)
"""How files begin whose lines nobody who writes a strategy has written."""
BEGIN_S = 5.0
"""How long a thread may take to begin."""


@contextmanager
def interruptible(what: str, stays: str = "") -> Iterator[None]:
    """Gives KeyboardInterrupt a text: what was stopped, what stays of it, and notes that were added on the way out."""
    say_plainly()
    try:
        yield
    except KeyboardInterrupt as error:
        if error.args:
            raise
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


def say_plainly() -> None:
    """Have a script that such an error ends say it in a sentence, unless somebody else has the last word already."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _told


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The hook of the interpreter, with one line for an interrupted call and for an error that speaks for itself."""
    if isinstance(error, KeyboardInterrupt) and error.args:
        print(error, file=sys.stderr)  # noqa: T201  # the last word of a program that nobody catches it in
    elif isinstance(error, QmtlError):
        line = _user_line(trace)
        said = [f"{line.filename}:{line.lineno}: {error}" if line else f"{error}", *_notes(error)]
        print("; ".join(said), file=sys.stderr)  # noqa: T201
    else:
        sys.__excepthook__(kind, error, trace)


def _user_line(trace: TracebackType | None) -> traceback.FrameSummary | None:
    """The innermost line of a traceback that is neither this library's nor another's: the one to look at."""
    frames = traceback.extract_tb(trace)
    return next((frame for frame in reversed(frames) if not frame.filename.startswith(NOT_THE_USERS)), None)
