"""The fetch plan: which origin delivers which span of a request, and what stays missing and why.

The plan is the truth about a reply before a byte is read: ratios, gaps and origins come from here.
It decides with spans only; reading is the store's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from qmtl.calendars import spans as calendars_spans
from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Coverage, Span
from qmtl.core.modes import ExecutionDomain
from seamless.domain.admission import Admission, Origin
from seamless.domain.ranges import Range
from seamless.domain.sla import FetchMode


class GapKind(Enum):
    """Why expected bars are absent."""

    NOT_FETCHED = "not_fetched"  # nobody asked a source for them yet
    UNKNOWN = "unknown"  # the source was read and did not have them, nor said why
    VERIFIED_EMPTY = "verified_empty"  # the source said that nothing traded
    OUTAGE = "outage"  # the source said that it was down


@dataclass(frozen=True, slots=True)
class Gap:
    """Expected bars that are not delivered."""

    span: Span
    kind: GapKind


@dataclass(frozen=True, slots=True)
class Holding:
    """What one origin has: the spans it was read over, and the bars that are in them."""

    origin: Origin
    read: Coverage
    have: Coverage
    verified_empty: Coverage = ()
    outage: Coverage = ()


@dataclass(frozen=True, slots=True)
class PlannedSpan:
    """A span and the origin that delivers it."""

    span: Span
    origin: Origin


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What a request will get."""

    requested: Span
    expected: Coverage
    spans: tuple[PlannedSpan, ...]
    gaps: tuple[Gap, ...]
    interval_ns: int

    @property
    def mixed(self) -> bool:
        """Whether rows come from elsewhere than one sealed artifact."""
        return any(part.origin is not Origin.ARTIFACT for part in self.spans)

    @property
    def hull(self) -> Span:
        """From the first delivered bar's open to the last one's close; without any, empty."""
        if not self.spans:
            return Span(self.requested.start_ns, self.requested.start_ns)
        return Span(self.spans[0].span.start_ns, self.spans[-1].span.end_ns)

    def within(self, cut: Span) -> "FetchPlan":
        """What of it opens inside a span."""
        kept = [
            replace(part, span=Span(max(part.span.start_ns, cut.start_ns), min(part.span.end_ns, cut.end_ns)))
            for part in self.spans
            if part.span.start_ns < cut.end_ns and cut.start_ns < part.span.end_ns
        ]
        return replace(self, spans=tuple(kept))

    @property
    def have(self) -> Coverage:
        return calendars_spans.normalise(p.span for p in self.spans)

    @property
    def data_ratio(self) -> float:
        """Delivered bars over expected bars; a planned span is expected, and delivered once."""
        return self._share(sum(p.span.bars(self.interval_ns) for p in self.spans))

    @property
    def resolved_ratio(self) -> float:
        """The same, with bars that a source said never were counted as resolved."""
        resolved = [p.span for p in self.spans]
        resolved += [g.span for g in self.gaps if g.kind is GapKind.VERIFIED_EMPTY]
        return self._share(sum(span.bars(self.interval_ns) for span in resolved))

    def _share(self, bars: int) -> float:
        wanted = calendars_spans.bars(self.expected, self.interval_ns)
        return bars / wanted if wanted else 1.0


def plan_fetch(
    requested: Span, interval_ns: int, calendar: Calendar, access: Admission, holdings: Sequence[Holding]
) -> FetchPlan:
    """Assign every expected bar to the first admitted holding that has it; bars past the horizon are not expected."""
    reach = requested.end_ns if access.horizon_ns is None else min(requested.end_ns, access.horizon_ns)
    visible = Span(requested.start_ns, max(requested.start_ns, reach))
    expected = calendar.expected(visible, interval_ns)
    admitted = [h for h in holdings if h.origin in access.origins]
    spans: list[PlannedSpan] = []
    rest = expected
    for holding in admitted:
        spans.extend(PlannedSpan(span, holding.origin) for span in calendars_spans.intersect(rest, holding.have))
        rest = calendars_spans.subtract(rest, holding.have)
    spans.sort(key=lambda p: p.span.start_ns)
    return FetchPlan(requested, expected, tuple(spans), _explain(rest, admitted), interval_ns)


def _explain(rest: Coverage, holdings: Sequence[Holding]) -> tuple[Gap, ...]:
    """Name each missing span by the strongest statement any source made about it."""
    statements = (
        (GapKind.VERIFIED_EMPTY, calendars_spans.normalise(s for h in holdings for s in h.verified_empty)),
        (GapKind.OUTAGE, calendars_spans.normalise(s for h in holdings for s in h.outage)),
        (GapKind.UNKNOWN, calendars_spans.normalise(s for h in holdings for s in h.read)),
    )
    gaps: list[Gap] = []
    for kind, stated in statements:
        if not stated:
            continue
        gaps.extend(Gap(span, kind) for span in calendars_spans.intersect(rest, stated))
        rest = calendars_spans.subtract(rest, stated)
    gaps.extend(Gap(span, GapKind.NOT_FETCHED) for span in rest)
    return tuple(sorted(gaps, key=lambda g: g.span.start_ns))


@dataclass(frozen=True, slots=True)
class FetchQuery:
    """A fetch request, understood. `domain` None: no context was given."""

    dataset: str
    range: Range
    domain: ExecutionDomain | None
    as_of_ns: int | None = None
    fingerprint: str = ""
    session_id: str = ""
    mode: FetchMode = FetchMode.BY_PRESET
