"""Answers to coverage questions, kept: an artifact never changes, so what was said of a range of it stays true.

Thousands of spans as messages cost far more than finding them; asked again they cost a look-up.
"""

from __future__ import annotations

from collections import OrderedDict

from qmtl.calendars.spans import Span
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from seamless.coverage.wire import coverage_to_proto
from seamless.domain.admission import Admission, Origin
from seamless.domain.fetch_plan import Holding, plan_fetch
from seamless.domain.manifests import Manifest
from seamless.presets.preset import Preset
from seamless.wire import gap_to_proto

KEPT_MAX = 64
Key = tuple[str, str, Span]


class CoverageAnswers:
    """The newest answers by preset, artifact and range."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, coverageservicepb.GetCoverageResponse] = OrderedDict()

    def answer(self, preset: Preset, manifest: Manifest, span: Span) -> coverageservicepb.GetCoverageResponse:
        """Coverage of a range: what is there and what is missing. Callers must not change it."""
        key = (preset.name, manifest.fingerprint, span)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _answer(preset, manifest, span)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found


def _answer(preset: Preset, manifest: Manifest, span: Span) -> coverageservicepb.GetCoverageResponse:
    held = Holding(Origin.ARTIFACT, manifest.span, manifest.coverage)
    access = Admission(frozenset(Origin), None, None)
    plan = plan_fetch(span, preset.dataset.interval_ns, preset.calendar, access, [held])
    return coverageservicepb.GetCoverageResponse(
        spans=coverage_to_proto(plan.have),
        gaps=[gap_to_proto(gap, plan.interval_ns) for gap in plan.gaps],
        data_ratio=plan.data_ratio,
        resolved_ratio=plan.resolved_ratio,
    )
