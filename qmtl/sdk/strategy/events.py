"""Events that a running strategy is called with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """A new value of a decision, at the close of the bar that made it."""

    node: str
    time_ns: int
    value: float
