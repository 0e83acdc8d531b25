"""When bars are expected: around the clock by arithmetic, or in the sessions of a venue.

A calendar has a name and a version, and both enter the fingerprint of what was judged by it.
Session times come from a door; this room only does arithmetic on them.
"""

from dataclasses import dataclass
from typing import Protocol

from qmtl.calendars.spans import Coverage, Span, ceil_to, floor_to, intersect, normalise


class Calendar(Protocol):
    """Which bars a venue should have produced."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def expected(self, span: Span, interval_ns: int) -> Coverage:
        """Spans of bars that open inside `span`, on the grid of the interval."""
        ...


@dataclass(frozen=True, slots=True)
class AlwaysOpen:
    """A venue that never closes; its grid is aligned to the epoch."""

    name: str = "24/7"
    version: str = "1"

    def expected(self, span: Span, interval_ns: int) -> Coverage:
        start, end = ceil_to(span.start_ns, interval_ns), floor_to(span.end_ns, interval_ns)
        return (Span(start, end),) if start < end else ()


@dataclass(frozen=True, slots=True)
class SessionCalendar:
    """A venue that opens and closes; bars that start inside a session are expected."""

    name: str
    version: str
    sessions: tuple[Span, ...]

    def expected(self, span: Span, interval_ns: int) -> Coverage:
        opens = (Span(ceil_to(s.start_ns, interval_ns), ceil_to(s.end_ns, interval_ns)) for s in self.sessions)
        start, end = ceil_to(span.start_ns, interval_ns), floor_to(span.end_ns, interval_ns)
        return intersect(normalise(opens), (Span(start, end),)) if start < end else ()
