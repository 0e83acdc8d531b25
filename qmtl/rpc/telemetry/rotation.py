"""The log file of a process: all it writes to stdout and stderr, moved aside when it has grown large.

Full files are `<log>.1` (the newest), `<log>.2` and so on; the oldest goes. Where a file cannot be moved (a full
or read-only disk) the present one grows on: a log line never fails its caller.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from qmtl.config.files import open_to_append
from qmtl.config.settings import LogLimits


class RotatingOutput(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Writes to stderr, which it has opened on the file; libraries that write there without us follow along."""

    def __init__(self, path: Path, limits: LogLimits) -> None:
        super().__init__(sys.stderr)
        self._path = path
        self._limits = limits
        self._open(path)

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            if os.fstat(2).st_size >= self._limits.bytes_max:
                self._rotate()
        super().emit(record)

    def _rotate(self) -> None:
        kept = [self._path, *(self._numbered(n) for n in range(1, self._limits.files_max))]
        for older, newer in zip(reversed(kept), reversed(kept[:-1]), strict=False):
            if newer.exists():
                os.replace(newer, older)
        self._open(self._path)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    @staticmethod
    def _open(path: Path) -> None:
        with open_to_append(path) as file:
            for output in (1, 2):
                os.dup2(file.fileno(), output)
