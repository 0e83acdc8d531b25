"""A round of garbage collection as a message."""

from __future__ import annotations

from dagmanager.artifacts.wire import artifact_to_proto
from dagmanager.garbage.domain import REPORTED_MAX, Round
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb


def round_to_proto(seen: Round) -> maintenanceservicepb.CollectGarbageResponse:
    """What a round of garbage collection saw and did, at most REPORTED_MAX kept queues of it."""
    skipped = list(seen.skipped.items())[:REPORTED_MAX]
    return maintenanceservicepb.CollectGarbageResponse(
        observed=seen.observed,
        candidates=len(seen.candidates),
        processed=seen.processed,
        skipped=[maintenanceservicepb.GarbageSkip(compute_key=key, reason=kept.value) for key, kept in skipped],
        archives=[artifact_to_proto(artifact, used_by, seen.at) for used_by, artifact in seen.archives],
    )
