"""Requests of diffs as values; assignments and counts as messages.

DAGs, contexts and instants are in qmtl.wire, because the gateway and the SDK read the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagmanager.diffs.domain.diff import Assignment, DiffCounts, Disposition
from dagmanager.diffs.domain.question import Question
from dagmanager.sentinels.domain import clamped
from dagmanager.sentinels.wire import weight_from_text
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import digest
from qmtl.core.identity.nodes import Dag
from qmtl.core.modes import ComputeContext
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.wire.contexts import DOMAIN_NUMBERS, context_from_proto
from qmtl.wire.mapping import mapper

TEXT_MAX = 200
DISPOSITIONS = {
    Disposition.NEW: diffpb.DISPOSITION_NEW,
    Disposition.REUSED: diffpb.DISPOSITION_REUSED,
    Disposition.REUSED_WITH_BUFFERING: diffpb.DISPOSITION_REUSED_WITH_BUFFERING,
}


def check_texts(**texts: str) -> None:
    """Raises InvalidRequest (E_REQUEST_FIELDS) for a text that is empty or longer than 200 characters."""
    for field, text in texts.items():
        if not 0 < len(text) <= TEXT_MAX:
            raise refused("E_REQUEST_FIELDS", field, f"{len(text)} characters", f"1 to {TEXT_MAX} characters")


def contexts_from_proto(messages: Sequence[commonpb.ComputeContext]) -> list[ComputeContext]:
    """Compute contexts as the gateway resolved them. Raises InvalidRequest (E_ENUM, E_TIMESTAMP)."""
    return [context_from_proto(message) for message in messages]


def body_of(message: dagpb.Dag, dag: Dag) -> bytes:
    """The DAG as plans store it: the submitted messages in topological order, the same bytes for any upload order."""
    by_id = {node.node_id: node for node in message.nodes}
    ordered = dagpb.Dag(nodes=[by_id[node_id] for node_id in dag.node_ids])
    return ordered.SerializeToString(deterministic=True)


def assignment_to_proto(assignment: Assignment) -> diffpb.QueueAssignment:
    """One assignment for the wire."""
    return diffpb.QueueAssignment(
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


summary_to_proto = mapper(
    DiffCounts,
    diffpb.DiffSummary,
    absent=("sentinel_id", "version", "node_ids_crc32", "seen_before", "chunks"),
)
"""The counts of a diff; version, sentinel, checksum and chunks are the caller's to add."""


def question_from_proto(request: diffpb.DiffQuestion, actor: str) -> Question:
    """What a request asks; `actor` where it does not say on whose behalf.

    Raises InvalidRequest (E_REQUEST_FIELDS, E_DECIMAL, E_ENUM, E_TIMESTAMP).
    """
    check_texts(request_id=request.request_id, strategy_id=request.strategy_id)
    if len(request.version_label) > TEXT_MAX or len(request.created_by) > TEXT_MAX:
        raise refused("E_REQUEST_FIELDS", "version_label, created_by", "too long", f"at most {TEXT_MAX} characters")
    weight = clamped(weight_from_text(request.traffic_weight) if request.traffic_weight else None)
    return Question(
        request_id=request.request_id,
        strategy_id=request.strategy_id,
        digest=_digest(request),
        contexts=tuple(contexts_from_proto(request.contexts)),
        version_label=request.version_label,
        decline_sentinel=request.decline_sentinel,
        traffic_weight=weight,
        created_by=request.created_by or actor,
    )


def _digest(request: diffpb.DiffQuestion) -> str:
    """Of all that is asked: everything but which request asks, and from which chunk on it wants the answer.

    The two are taken out for a moment rather than from a copy: a DAG may have megabytes.
    """
    request_id, from_chunk = request.request_id, request.from_chunk
    request.ClearField("request_id")
    request.ClearField("from_chunk")
    asked = request.SerializeToString(deterministic=True)
    request.request_id, request.from_chunk = request_id, from_chunk
    return digest(asked)
