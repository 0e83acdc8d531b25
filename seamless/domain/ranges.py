"""The range of a request, which may be open at either end, and the span that it means over data."""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.calendars import spans
from qmtl.calendars.spans import Span


@dataclass(frozen=True, slots=True)
class Range:
    """Opens wanted, `[start, end)`; None: as far as the data goes."""

    start_ns: int | None
    end_ns: int | None

    def over(self, whole: Span, interval_ns: int) -> Span:
        """The grid-aligned span it means over data that covers `whole`."""
        start = whole.start_ns if self.start_ns is None else spans.ceil_to(self.start_ns, interval_ns)
        end = whole.end_ns if self.end_ns is None else spans.ceil_to(self.end_ns, interval_ns)
        return Span(start, max(start, end))
