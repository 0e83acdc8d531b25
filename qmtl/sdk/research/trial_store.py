"""A file that keeps trials as they end, a line of JSON each, so that a search that was stopped goes on from it.

One search writes it at a time: a second one is refused by name, on the same machine as on a shared file system that has
locks.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType

import numpy as np

from qmtl.core.errors import Conflict, InvalidRequest, refused
from qmtl.core.identity.canonical import Json
from qmtl.sdk.research.trials import Params, Trial

_NAMES = frozenset({"key", "params", "metrics", "day_ns", "equity", "denied", "per_year"})
_BEGIN = b'{"key":"'
"""How every line begins."""


class TrialStore:
    """Trials in a file; a line that a crash cut off is not read. Locked from its opening until it is closed.

    Raises Conflict (E_STORE_IN_USE) while another search writes it, InvalidRequest (E_FIELD) for another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Json]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            self._lock()
            self._load()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, key: str, params: Params) -> Trial | None:
        """The trial that is kept under a key."""
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
        """Keep a trial, on disk when this returns."""
        row: dict[str, Json] = {
            "key": key,
            "params": dict(trial.params),
            "metrics": dict(trial.metrics),
            "day_ns": trial.day_ns.tolist(),
            "equity": trial.equity.tolist(),
            "denied": trial.denied,
            "per_year": trial.per_year,
        }
        self._file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "E_STORE_IN_USE",
                f"the store {self._path} is being written by another sweep or search",
                hint="wait for its end, or give this one a store of its own",
            ) from None

    def _load(self) -> None:
        self._file.seek(0)
        *whole, cut = self._file.read().split(b"\n")
        for number, line in enumerate(whole, 1):
            row = _row(line)
            if row is None:
                raise self._refusal(number)
            self._known[str(row["key"])] = row
        if not (cut.startswith(_BEGIN) or _BEGIN.startswith(cut)):  # no line that a crash has cut: somebody's file
            raise self._refusal(len(whole) + 1)
        if cut:
            self._file.truncate(self._file.tell() - len(cut))

    def _refusal(self, number: int) -> InvalidRequest:
        return refused("E_FIELD", "store", f"{self._path}, line {number}", "a file that a sweep has written")


def _row(line: bytes) -> dict[str, Json] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() >= _NAMES else None
