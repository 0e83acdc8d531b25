"""Windows of evidence: covered data time of a stage's runs, in which wall time and gaps count nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Covered:
    """Data from `start` to `end` of which the share `coverage` was there, 0 to 1."""

    start: datetime
    end: datetime
    coverage: float = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a required window is covered; `observed` and `required` are data time."""

    observed: timedelta
    required: timedelta

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.observed >= self.required

    @property
    def progress(self) -> float:
        """min(1, observed / required); 1 where nothing is required."""
        return 1.0 if not self.required else min(1.0, self.observed / self.required)

    def sentence(self, what: str) -> str:
        """What is missing, for a person."""
        return f"{what} covers {_days(self.observed)} of {_days(self.required)} days of data"


def covered_time(runs: Sequence[Covered]) -> timedelta:
    """The union of the runs' intervals times the coverage of each, of overlapping ones the highest."""
    bounds = sorted({edge for run in runs if run.end > run.start for edge in (run.start, run.end)})
    micros = Fraction(0)
    for start, end in pairwise(bounds):
        best = max((run.coverage for run in runs if run.start <= start and end <= run.end), default=0.0)
        micros += Fraction((end - start) // timedelta(microseconds=1)) * Fraction(min(max(best, 0.0), 1.0))
    return timedelta(microseconds=int(micros))


def _days(span: timedelta) -> str:
    return f"{int(span / timedelta(days=1) * 10) / 10:g}"
