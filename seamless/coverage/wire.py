"""Coverage as messages."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.calendars.spans import Coverage
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from seamless.backfill.filling import Filled
from seamless.wire import span_to_proto

FAILURES_MAX = 100


def coverage_to_proto(spans: Coverage) -> Iterable[commonpb.TimeRange]:
    return map(span_to_proto, spans)


def filled_to_proto(filled: Filled) -> coverageservicepb.EnsureCoverageResponse:
    """How a range stands while it is filled."""
    progress = filled.progress
    return coverageservicepb.EnsureCoverageResponse(
        range=span_to_proto(progress.span),
        bars_expected=progress.expected,
        bars_present=progress.present,
        bars_empty=progress.empty,
        windows=progress.windows,
        windows_done=progress.windows_done,
        failures=progress.failures[:FAILURES_MAX],
        done=filled.done,
        artifact_fingerprint=filled.fingerprint,
        bars_held_back=filled.held_back,
    )
