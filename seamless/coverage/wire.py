"""Coverage as messages."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.calendars.spans import Coverage
from qmtl.common.v1 import common_pb2 as commonpb
from seamless.wire import span_to_proto


def coverage_to_proto(spans: Coverage) -> Iterable[commonpb.TimeRange]:
    return map(span_to_proto, spans)
