"""A round of garbage collection as a message."""

from __future__ import annotations

from dagmanager.artifacts.wire import artifact_to_proto
from dagmanager.garbage.domain import REPORTED_MAX, Kept, Round
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb

KEPT = {
    Kept.QUEUE_UNKNOWN: maintenanceservicepb.GARBAGE_KEPT_QUEUE_UNKNOWN,
    Kept.IN_USE: maintenanceservicepb.GARBAGE_KEPT_IN_USE,
    Kept.DROPPED_BEFORE: maintenanceservicepb.GARBAGE_KEPT_DROPPED_BEFORE,
    Kept.UNKNOWN_CLASS: maintenanceservicepb.GARBAGE_KEPT_UNKNOWN_CLASS,
    Kept.NOT_DUE: maintenanceservicepb.GARBAGE_KEPT_NOT_DUE,
    Kept.BATCH_FULL: maintenanceservicepb.GARBAGE_KEPT_BATCH_FULL,
    Kept.FOREIGN_RECORDS: maintenanceservicepb.GARBAGE_KEPT_FOREIGN_RECORDS,
    Kept.ARCHIVE_INCOMPLETE: maintenanceservicepb.GARBAGE_KEPT_ARCHIVE_INCOMPLETE,
    Kept.ARCHIVE_TOO_LARGE: maintenanceservicepb.GARBAGE_KEPT_ARCHIVE_TOO_LARGE,
    Kept.ARCHIVE_FAILED: maintenanceservicepb.GARBAGE_KEPT_ARCHIVE_FAILED,
    Kept.CHANGED: maintenanceservicepb.GARBAGE_KEPT_CHANGED,
}


def round_to_proto(seen: Round) -> maintenanceservicepb.CollectGarbageResponse:
    """What a round of garbage collection saw and did, at most REPORTED_MAX kept queues of it."""
    skipped = list(seen.skipped.items())[:REPORTED_MAX]
    return maintenanceservicepb.CollectGarbageResponse(
        observed=seen.observed,
        candidates=len(seen.candidates),
        processed=seen.processed,
        skipped=[maintenanceservicepb.GarbageSkip(compute_key=key, kept=KEPT[kept]) for key, kept in skipped],
        archives=[artifact_to_proto(artifact, used_by, seen.at) for used_by, artifact in seen.archives],
    )
