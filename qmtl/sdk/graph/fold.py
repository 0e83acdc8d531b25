"""A fold: a built-in as one function `(state, input) -> (state, value)`, with its parameters and warm-up.\n\nA
step mutates a flat vector of floats, its whole state, so saving and loading it is copying it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Vector(Protocol):
    """A list of floats or a one-dimensional array; a step cannot tell which."""

    def __getitem__(self, index: int, /) -> float: ...
    def __setitem__(self, index: int, value: float, /) -> None: ...


Step = Callable[[Vector, Vector, Vector, Vector], bool]


@dataclass(frozen=True, slots=True)
class Fold:
    """A step with its parameters. `warmup` is the number of inputs up to and including the first value."""

    name: str
    step: Step
    params: tuple[float, ...]
    state_size: int
    inputs: int
    outputs: int
    warmup: int
    version: str = "1.0"

    @property
    def code_hash(self) -> str:
        """Identity of the built-in, as a NodeSpec carries it."""
        return f"builtin:{self.name}@{self.version}"
