"""What a strategy is told while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """A new value of a decision, at the close of the bar that made it."""

    node: str
    time_ns: int
    value: float
