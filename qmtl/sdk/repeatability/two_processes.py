"""One command run twice at once, in environments that a pure function cannot tell apart, and what each answers.

What an author's code does at import or in a node must not hold the caller up: threads that go on, processes that it
started, output that it redirects. A process is over once it has answered, and what it started ends with it.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.repeatability.shifted_clock import shift_clock

PATIENCE_S = 120.0
APART = timedelta(days=400)
CLOCK = "QMTL_CLOCK_DAYS"
"""In the environment of such a process: by how many days its clock is moved."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process answered as JSON in its last line; None, and the end of its errors, where it did not."""

    answer: Any
    said: str


class Children:
    """The processes of one call, which another thread may end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ended = False
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a command on the folder's file `given`, writing to its files `out` and `errors`."""
        with (
            self._lock,
            (folder / "given").open("rb") as given,
            (folder / "out").open("wb") as out,  # a pipe stays open while anything that it started lives
            (folder / "errors").open("wb") as errors,
        ):
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=given,
                stdout=out,
                stderr=errors,
                start_new_session=True,  # a group, to be ended whole
            )
            self._started.append(process)
            if self._ended:
                _kill(process)
        return process

    def end(self) -> None:
        """Kill what was started and what that started; what is started later ends at once."""
        with self._lock:
            self._ended = True
            while self._started:
                _kill(self._started.pop())


def in_two_processes(
    command: Sequence[str], given: bytes = b"", children: Children | None = None
) -> tuple[Ended, Ended]:
    """Run a command twice at once, with `given` on standard input.

    Raises InvalidRequest (E_NODE_VALUE) where one takes more than PATIENCE_S.
    """
    children = children or Children()
    deadline = time.monotonic() + PATIENCE_S
    with ExitStack() as stack:
        started = list[tuple[Path, subprocess.Popen[bytes]]]()
        for seed, shift in ((1, timedelta(0)), (2, APART)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            (folder / "given").write_bytes(given)
            if not started:
                stack.callback(children.end)
            started.append((folder, children.start(command, folder, _environment(folder, seed, shift))))
        first, second = (_ended(process, folder, deadline) for folder, process in started)
    return first, second


def begin_process() -> None:
    """In such a process: move its clock as its environment says, and let it end by itself if its parent is gone."""
    faulthandler.dump_traceback_later(2 * PATIENCE_S, exit=True)
    shift_clock(timedelta(days=int(os.environ.get(CLOCK, "0"))))


def answer(value: object) -> NoReturn:
    """In such a process: write a value as the last line and end, waiting for no thread and no exit handler."""
    os.write(1, f"\n{json.dumps(value)}\n".encode())
    os._exit(0)


def _environment(folder: Path, seed: int, shift: timedelta) -> dict[str, str]:
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    own = {"PYTHONHASHSEED": str(seed), "HOME": str(folder), "PYTHONPATH": paths, CLOCK: str(shift.days)}
    return {**os.environ, **own}


def _ended(process: subprocess.Popen[bytes], folder: Path, deadline: float) -> Ended:
    try:
        code = process.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        raise InvalidRequest("E_NODE_VALUE", f"made-up bars took more than {PATIENCE_S:.0f} s") from None
    errors = (folder / "errors").read_text(errors="replace").strip().splitlines()
    said = (" ".join(errors[-2:]) or f"it ended with code {code} and without a word")[:500]
    if code:
        return Ended(None, said)
    last_line = (folder / "out").read_bytes().strip().rpartition(b"\n")[2]
    try:
        return Ended(json.loads(last_line), said)
    except ValueError:
        return Ended(None, said)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # the group is empty
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
