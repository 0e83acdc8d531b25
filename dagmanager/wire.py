"""Messages to values and back for what only this service speaks of: diffs, sentinels, tag queries.

DAGs, contexts and instants are in qmtl.wire, because the gateway and the SDK read the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dagmanager.domain.diff import Assignment, DiffCounts, Disposition
from dagmanager.domain.garbage import REPORTED_MAX, Artifact, Round
from dagmanager.domain.queues import MatchMode, QueueState, TagQuery, tag_query
from dagmanager.domain.sentinels import Sentinel
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.dag import Dag
from qmtl.core.modes import ComputeContext
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as servicepb
from qmtl.wire.words import (
    DOMAIN_NUMBERS,
    DOMAINS,
    context_from_proto,
    domain_number,
    instant_to_proto,
    known_enum,
)  # fmt: skip

MATCH_MODES = {dagpb.MATCH_MODE_ANY: MatchMode.ANY, dagpb.MATCH_MODE_ALL: MatchMode.ALL}
STATES = {
    QueueState.ACTIVE: dagpb.QUEUE_STATE_ACTIVE,
    QueueState.RELEASED: dagpb.QUEUE_STATE_RELEASED,
    QueueState.ARCHIVED: dagpb.QUEUE_STATE_ARCHIVED,
    QueueState.DROPPED: dagpb.QUEUE_STATE_DROPPED,
}
DISPOSITIONS = {
    Disposition.NEW: dagpb.DISPOSITION_NEW,
    Disposition.REUSED: dagpb.DISPOSITION_REUSED,
    Disposition.REUSED_WITH_BUFFERING: dagpb.DISPOSITION_REUSED_WITH_BUFFERING,
}
MATCH_NUMBERS = {value: number for number, value in MATCH_MODES.items()}


def contexts_from_proto(messages: Sequence[commonpb.ComputeContext]) -> list[ComputeContext]:
    """Compute contexts as the gateway resolved them. Raises InvalidRequest (E_ENUM, E_TIMESTAMP)."""
    return [context_from_proto(message) for message in messages]


def body_of(message: dagpb.Dag, dag: Dag) -> bytes:
    """The DAG as plans store it: the submitted messages in topological order, the same bytes for any upload order."""
    by_id = {node.node_id: node for node in message.nodes}
    ordered = dagpb.Dag(nodes=[by_id[node_id] for node_id in dag.node_ids])
    return ordered.SerializeToString(deterministic=True)


def tag_query_from_proto(message: dagpb.TagQuery) -> TagQuery:
    """A normalised query. Raises InvalidRequest (E_TAG_QUERY, E_ENUM)."""
    domain = message.execution_domain
    return tag_query(
        message.tags,
        known_enum(MATCH_MODES, message.match_mode, "query.match_mode"),
        message.interval_s,
        message.world_id,
        known_enum(DOMAINS, domain, "query.execution_domain") if domain else None,
    )


def tag_query_to_proto(query: TagQuery) -> dagpb.TagQuery:
    """The inverse of tag_query_from_proto."""
    return dagpb.TagQuery(
        tags=query.tags,
        match_mode=MATCH_NUMBERS[query.match_mode],
        interval_s=query.interval_s,
        world_id=query.world_id,
        execution_domain=domain_number(query.execution_domain),
    )


def assignment_to_proto(assignment: Assignment) -> dagpb.QueueAssignment:
    """One assignment for the wire."""
    return dagpb.QueueAssignment(
        node_id=assignment.node_id,
        compute_key=assignment.compute_key,
        world_id=assignment.world_id,
        execution_domain=DOMAIN_NUMBERS[assignment.execution_domain],
        topic=assignment.topic,
        disposition=DISPOSITIONS[assignment.disposition],
        queue_reused=assignment.queue_reused,
        buffer_lag=assignment.buffer_lag,
        name=assignment.name,
        shared_with=assignment.shared_with,
    )


def summary_to_proto(counts: DiffCounts) -> servicepb.DiffSummary:
    """The counts of a diff; version, sentinel, checksum and chunks are the caller's to add."""
    return servicepb.DiffSummary(
        nodes=counts.nodes,
        new_nodes=counts.new_nodes,
        reused_nodes=counts.reused_nodes,
        buffering_nodes=counts.buffering_nodes,
        new_queues=counts.new_queues,
        reused_queues=counts.reused_queues,
    )


def sentinel_to_proto(sentinel: Sentinel) -> dagpb.Sentinel:
    """A sentinel with the etag that changes it."""
    return dagpb.Sentinel(
        sentinel_id=sentinel.sentinel_id,
        strategy_id=sentinel.strategy_id,
        version=sentinel.version,
        commit_hash=sentinel.commit_hash,
        traffic_weight=sentinel.traffic_weight,
        revision=sentinel.revision,
        etag=sentinel.etag,
        created_at=instant_to_proto(sentinel.created_at),
    )


def round_to_proto(seen: Round) -> servicepb.CollectGarbageResponse:
    """What a round of garbage collection saw and did, at most REPORTED_MAX kept queues of it."""
    skipped = list(seen.skipped.items())[:REPORTED_MAX]
    return servicepb.CollectGarbageResponse(
        observed=seen.observed,
        candidates=len(seen.candidates),
        processed=seen.processed,
        skipped=[servicepb.GarbageSkip(compute_key=key, reason=kept.value) for key, kept in skipped],
        archives=[artifact_to_proto(artifact, used_by, seen.at) for used_by, artifact in seen.archives],
    )


def artifact_to_proto(artifact: Artifact, used_by: str, created_at: datetime) -> dagpb.GraphArtifact:
    """A file with what it was made of."""
    return dagpb.GraphArtifact(
        path=artifact.path,
        checksum=artifact.checksum,
        size_bytes=artifact.size_bytes,
        used_by=[used_by] if used_by else [],
        created_at=instant_to_proto(created_at),
    )
