"""Windows of evidence: covered data time of a stage's runs, in which wall time and gaps count nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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


def _days(span: timedelta) -> str:
    return f"{int(span / timedelta(days=1) * 10) / 10:g}"
