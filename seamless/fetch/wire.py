"""Fetch requests understood, and planned spans as messages."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.errors import InvalidRequest, refused
from qmtl.core.modes import ExecutionDomain
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from seamless.domain.admission import Origin
from seamless.domain.fetch_plan import FetchPlan, FetchQuery
from seamless.domain.sla import FetchMode, Phase
from seamless.wire import domain_from_proto, ns_from_proto, range_from_proto, span_to_proto

_SOURCES = {
    Origin.ARTIFACT: coveragepb.SPAN_SOURCE_ARTIFACT,
    Origin.STORAGE: coveragepb.SPAN_SOURCE_STORAGE,
    Origin.BACKFILL: coveragepb.SPAN_SOURCE_BACKFILL,
    Origin.LIVE: coveragepb.SPAN_SOURCE_LIVE,
}
_MODES = {
    dataservicepb.FETCH_MODE_UNSPECIFIED: FetchMode.BY_PRESET,
    dataservicepb.FETCH_MODE_FAIL_FAST: FetchMode.FAIL_FAST,
    dataservicepb.FETCH_MODE_AUTO_BACKFILL: FetchMode.AUTO_BACKFILL,
    dataservicepb.FETCH_MODE_PARTIAL: FetchMode.PARTIAL,
    dataservicepb.FETCH_MODE_SEAMLESS: FetchMode.SEAMLESS,
}
PHASES = {
    Phase.STORAGE: dataservicepb.SLA_PHASE_STORAGE,
    Phase.BACKFILL: dataservicepb.SLA_PHASE_BACKFILL,
    Phase.LIVE: dataservicepb.SLA_PHASE_LIVE,
    Phase.TOTAL: dataservicepb.SLA_PHASE_TOTAL,
}


def fetch_from_proto(request: dataservicepb.FetchRequest) -> FetchQuery:
    """Raises InvalidRequest (E_RANGE, E_ENUM, E_DATA_SESSION)."""
    context = request.context
    domain = domain_from_proto(context.execution_domain) if request.HasField("context") else None
    if request.session_id and domain is not ExecutionDomain.DRYRUN:
        raise InvalidRequest("E_DATA_SESSION", "session_id is set: want a context in DRYRUN with it")
    return FetchQuery(
        dataset=request.dataset,
        range=range_from_proto(request.range, "range"),
        domain=domain,
        as_of_ns=ns_from_proto(context.as_of, "context.as_of") if context.HasField("as_of") else None,
        fingerprint=context.dataset_fingerprint,
        session_id=request.session_id,
        mode=_mode_from_proto(request.mode),
    )


def _mode_from_proto(mode: dataservicepb.FetchMode) -> FetchMode:
    if mode not in _MODES:
        raise refused("E_ENUM", "mode", mode, "one of FAIL_FAST, AUTO_BACKFILL, PARTIAL, SEAMLESS")
    return _MODES[mode]


def spans_to_proto(plan: FetchPlan) -> Iterable[coveragepb.Span]:
    """Each planned span with its source; rows are the bars it holds."""
    for part in plan.spans:
        rows = part.span.bars(plan.interval_ns)
        yield coveragepb.Span(range=span_to_proto(part.span), source=_SOURCES[part.origin], rows=rows)
