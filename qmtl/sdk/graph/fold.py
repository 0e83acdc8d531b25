"""A fold: a built-in as one function `(state, input) -> (state, value)`, with its parameters and warm-up.

A step mutates a flat vector of floats, its whole state, so saving and loading it is copying it. Only + - * / and sqrt
are used: those are rounded the same everywhere, so the batch and the streaming form cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from qmtl.core.arrays import Floats, Times


class Vector(Protocol):
    """A list of floats or a one-dimensional array; a step cannot tell which."""

    def __getitem__(self, index: int, /) -> float: ...
    def __setitem__(self, index: int, value: float, /) -> None: ...


Step = Callable[[Vector, Vector, Vector, Vector], bool]
"""`step(state, params, x, out)`: advance the state by one input; True when `out` holds a value."""


class TimeColumns(Protocol):
    """What a step is told of the time of an event, beside its inputs: columns in whole seconds or counts."""

    @property
    def width(self) -> int: ...

    def of(self, times: Times) -> Floats:
        """A row (n, width) for each event's time, ns. It depends on that time alone."""
        ...


@dataclass(frozen=True, slots=True)
class Fold:
    """A step with its parameters. `warmup` is the number of inputs up to and including the first value."""

    code_hash: str
    step: Step
    params: tuple[float, ...]
    state_size: int
    inputs: int
    outputs: int
    warmup: int
