"""Running a fold, event by event or over arrays, with equal results to the last bit.

Streaming runs the step on lists, one event at a time; batch runs the same step over arrays, compiled by numba once all
that this process did by it would have repaid compilation, or by array operations that do the same to each element.
fastmath stays off, in one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmtl.sdk.engine.compiling import compiled as compiled_code
from qmtl.sdk.engine.compiling import is_kept, work_of
from qmtl.sdk.graph.fold import Fold

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

COMPILE_ABOVE = 3_000_000
"""Estimated element operations above which compiling pays: about 0.3 s of Python against 0.3 s of compiling."""
KEPT_ABOVE = 1_000_000
"""The same where it was compiled before and is on disk."""
COUNTED_FROM = 30_000
"""Operations of one run from which it is counted: a live session, bar by bar, does not stop to compile."""


class FoldState:
    """The streaming form: one fold and its state."""

    __slots__ = ("_out", "_params", "_step", "fold", "values")

    def __init__(self, fold: Fold, values: list[float] | None = None) -> None:
        self.fold = fold
        self.values: list[float] = [0.0] * fold.state_size if values is None else list(values)
        if len(self.values) != fold.state_size:
            raise ValueError(f"state of {fold.code_hash} has {len(self.values)} numbers, want {fold.state_size}")
        self._step, self._params = fold.step, list(fold.params)
        self._out = [0.0] * fold.outputs

    def advance(self, x: list[float]) -> list[float] | None:
        """Take one input; the value it makes, or None while warming up."""
        return self._out.copy() if self._step(self.values, self._params, x, self._out) else None


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """What a batch run made: a row per input, whether each counts, and the state after the last."""

    rows: Floats
    emitted: NDArray[np.bool_]
    state: list[float]


def run_fold(fold: Fold, xs: Floats, state: list[float] | None = None, compiled: bool | None = None) -> Folded:
    """Run a fold over `xs` (n, inputs). `compiled` None: by array operations where it has such a form, else decided by
    the amount of work, with that done before.
    """
    if compiled is None and fold.whole is not None:
        values = FoldState(fold, state).values
        return Folded(*fold.whole(values, fold.params, xs), values)
    if compiled is None:
        compiled = _pays(fold, len(xs) * (10 + fold.state_size))
    return _run_compiled(fold, xs, state) if compiled else _run_python(fold, xs, state)


def _pays(fold: Fold, operations: int) -> bool:
    """Whether to compile, or take what is compiled; these operations count to what a next run is judged by."""
    work = work_of(_loop, step=fold.step)
    if work.made is not None:
        return True
    if operations < COUNTED_FROM:
        return False
    work.amount += operations
    return work.amount > COMPILE_ABOVE or (work.amount > KEPT_ABOVE and is_kept(_loop, step=fold.step))


def _run_python(fold: Fold, xs: Floats, state: list[float] | None) -> Folded:
    run = FoldState(fold, state)
    rows = np.full((len(xs), fold.outputs), np.nan)
    emitted = np.zeros(len(xs), dtype=np.bool_)
    for index, x in enumerate(xs.tolist()):
        value = run.advance(x)
        if value is not None:
            rows[index] = value
            emitted[index] = True
    return Folded(rows, emitted, run.values)


def _run_compiled(fold: Fold, xs: Floats, state: list[float] | None) -> Folded:
    values = np.asarray(FoldState(fold, state).values, dtype=np.float64)
    rows, x, out = np.empty((len(xs), fold.outputs)), np.zeros(xs.shape[1]), np.zeros(fold.outputs)
    emitted = np.zeros(len(xs), dtype=np.bool_)
    params = np.asarray(fold.params, dtype=np.float64)
    compiled_code(_loop, step=fold.step)(values, params, np.ascontiguousarray(xs), x, out, rows, emitted)
    return Folded(rows, emitted, values.tolist())


def _loop(state: Any, params: Any, xs: Any, x: Any, out: Any, rows: Any, emitted: Any) -> None:
    for i in range(xs.shape[0]):
        for column in range(xs.shape[1]):  # copied, as a view of a row costs more than the row
            x[column] = xs[i, column]
        emitted[i] = step(state, params, x, out)  # type: ignore[name-defined]  # noqa: F821  # given to `compiled`
        for column in range(rows.shape[1]):
            rows[i, column] = out[column] if emitted[i] else np.nan
