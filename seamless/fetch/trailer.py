"""The last message of a fetch: exactly what was delivered, and how that stands to what the preset demands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.wire.instants import ns_to_proto
from seamless.domain import admission
from seamless.domain.admission import MIXING, Lateness
from seamless.domain.fetch_plan import FetchPlan, FetchQuery
from seamless.domain.sla import Breach, FetchMode, Phase
from seamless.fetch import wire
from seamless.fetch.phases import Phases
from seamless.fetch.sight import Sight
from seamless.presets.preset import Preset
from seamless.wire import gap_to_proto, span_to_proto


@dataclass(frozen=True, slots=True)
class Delivered:
    """Rows that went out, those of them flagged, their fingerprint, the artifact that has them, the phase that ran out
    of its budget, whether what is missing is being fetched, and for how long the earliest missing bar is due.
    """

    rows: int
    flagged: int
    fingerprint: str
    artifact: str
    breached: Phase | None
    backfilling: bool
    lag_ns: int


def trailer(
    preset: Preset, ask: FetchQuery, sight: Sight, plan: FetchPlan, phases: Phases, delivered: Delivered
) -> dataservicepb.FetchMetadata:
    """The metadata of a fetch, without what conformance found."""
    metadata = dataservicepb.FetchMetadata(
        dataset=str(preset.dataset),
        requested=span_to_proto(plan.requested),
        rows=delivered.rows,
        coverage_ratio=plan.data_ratio,
        resolved_ratio=plan.resolved_ratio,
        gaps=[gap_to_proto(gap, plan.interval_ns) for gap in plan.gaps],
        dataset_fingerprint=delivered.fingerprint,
        as_of=ns_to_proto(sight.as_of_ns),
        spans=wire.spans_to_proto(plan),
        artifact_fingerprint=delivered.artifact,
        backfilling=delivered.backfilling,
        sla_preset=phases.sla.name,
        flagged_rows=delivered.flagged,
    )
    if delivered.rows:
        metadata.delivered.CopyFrom(span_to_proto(plan.hull))
    for phase, spent_s in phases.spent_s.items():
        told = metadata.phases.add(phase=wire.PHASES[phase])
        told.spent.FromTimedelta(timedelta(seconds=spent_s))
        told.budget.FromTimedelta(timedelta(seconds=phases.sla.budget_s(phase)))
    _judge(metadata, ask, sight, plan, phases, delivered)
    return metadata


def _judge(
    metadata: dataservicepb.FetchMetadata,
    ask: FetchQuery,
    sight: Sight,
    plan: FetchPlan,
    phases: Phases,
    delivered: Delivered,
) -> None:
    """How the delivery stands to what is demanded; what must not be traded on outweighs what is incomplete."""
    sla = phases.sla
    metadata.sla = dataservicepb.SLA_OUTCOME_MET
    if plan.data_ratio < sla.min_coverage or delivered.breached is not None:
        asked_for = ask.mode in (FetchMode.PARTIAL, FetchMode.SEAMLESS)
        held = sla.on_breach is Breach.HOLD and not asked_for
        metadata.sla = dataservicepb.SLA_OUTCOME_HOLD if held else dataservicepb.SLA_OUTCOME_PARTIAL
    if delivered.breached is not None:
        metadata.sla_phase = wire.PHASES[delivered.breached]
    if sight.domain in MIXING and ask.as_of_ns is not None and ask.as_of_ns > sight.as_of_ns:
        metadata.sla = dataservicepb.SLA_OUTCOME_HOLD
        metadata.downgrade = dataservicepb.FETCH_DOWNGRADE_AS_OF_BEHIND
    late = admission.lateness(sight.domain, delivered.lag_ns, int(sla.max_lag_s * 1e9))
    if late is Lateness.LAG_ABOVE_LIMIT:
        metadata.sla, metadata.sla_phase = dataservicepb.SLA_OUTCOME_HOLD, dataservicepb.SLA_PHASE_LIVE
        metadata.downgrade = dataservicepb.FETCH_DOWNGRADE_LAG_ABOVE_LIMIT
