"""Answers to coverage questions, kept: of one artifact and one state of storage they stay true.

Thousands of spans as messages cost far more than finding them; asked again they cost a look-up.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from qmtl.calendars.spans import Span
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from seamless.coverage.wire import coverage_to_proto
from seamless.domain.admission import Admission, Origin
from seamless.domain.fetch_plan import Holding, plan_fetch
from seamless.domain.manifests import Manifest
from seamless.domain.ranges import Range
from seamless.domain.stored import StoredCoverage
from seamless.presets.preset import Preset
from seamless.wire import gap_to_proto

KEPT_MAX = 64
Key = tuple[str, str, Span]


@dataclass(frozen=True, slots=True)
class State:
    """What is there of a dataset: its artifact, if there is one, and what is stored. One of them has bars."""

    manifest: Manifest | None
    stored: StoredCoverage

    @property
    def name(self) -> str:
        """The same for the same state."""
        return f"{self.manifest.fingerprint if self.manifest else ''}@{self.stored.version}"

    def span(self, asked: Range, interval_ns: int) -> Span:
        """The span that a range means over what is there."""
        found = [self.manifest.span] if self.manifest else []
        found += [self.stored.have[0], self.stored.have[-1]] if self.stored.have else []
        whole = Span(min(one.start_ns for one in found), max(one.end_ns for one in found))
        return asked.over(whole, interval_ns)


class CoverageAnswers:
    """The newest answers by preset, state and range."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, coverageservicepb.GetCoverageResponse] = OrderedDict()

    def answer(self, preset: Preset, state: State, span: Span) -> coverageservicepb.GetCoverageResponse:
        """Coverage of a range: what is there and what is missing. Callers must not change it."""
        key = (preset.name, state.name, span)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _answer(preset, state, span)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found


def _answer(preset: Preset, state: State, span: Span) -> coverageservicepb.GetCoverageResponse:
    known = state.stored
    held = [Holding(Origin.STORAGE, known.read, known.have, known.empty, known.outage)]
    if state.manifest is not None:
        held.append(Holding(Origin.ARTIFACT, (state.manifest.span,), state.manifest.coverage))
    access = Admission(frozenset(Origin), None, None)
    plan = plan_fetch(span, preset.dataset.interval_ns, preset.calendar, access, held)
    return coverageservicepb.GetCoverageResponse(
        spans=coverage_to_proto(plan.have),
        gaps=[gap_to_proto(gap, plan.interval_ns) for gap in plan.gaps],
        data_ratio=plan.data_ratio,
        resolved_ratio=plan.resolved_ratio,
    )
