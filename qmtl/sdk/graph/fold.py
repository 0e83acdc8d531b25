"""A fold: a built-in as one function `(state, input) -> (state, value)`, with its parameters and warm-up.

A step mutates a flat vector of floats, its whole state, so saving and loading it is copying it. Only + - * / and sqrt
are used: those are rounded the same everywhere, so the batch and the streaming form cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats, Times


Number = TypeVar("Number", np.float64, np.int8)


class Vector(Protocol):
    """A list of floats or a one-dimensional array; a step cannot tell which."""

    def __getitem__(self, index: int, /) -> float: ...
    def __setitem__(self, index: int, value: float, /) -> None: ...


Step = Callable[[Vector, Vector, Vector, Vector], bool]
"""`step(state, params, x, out)`: advance the state by one input; True when `out` holds a value."""


Whole = Callable[[list[float], tuple[float, ...], "Floats"], "tuple[Floats, NDArray[np.bool_]]"]
"""`whole(state, params, xs)`: a step over many inputs (n, inputs) at once, with the same result to the last bit: rows
(n, outputs), NaN where there is no value, and whether each counts. The state is advanced past all of them.
"""


class TimeColumns(Protocol):
    """What a step is told of the time of an event, beside its inputs: columns in whole seconds or counts."""

    @property
    def width(self) -> int: ...

    def of(self, times: Times) -> Floats:
        """A row (n, width) for each event's time, ns. It depends on that time alone."""
        ...


@dataclass(frozen=True, slots=True)
class Fold:
    """A step with its parameters. `warmup` is the number of inputs up to and including the first value. `whole`: the
    step over many inputs in array operations; None: it is looped.
    """

    code_hash: str
    step: Step
    params: tuple[float, ...]
    state_size: int
    inputs: int
    outputs: int
    warmup: int
    whole: Whole | None = None


def carried(start: float, at: NDArray[np.intp], values: NDArray[Number], count: int) -> NDArray[Number]:
    """A column of `count` rows: from each row in `at` on the value that belongs to it, `start` before the first."""
    held = np.append(values.dtype.type(start), values)
    return np.repeat(held, np.diff(at, prepend=0, append=count))
