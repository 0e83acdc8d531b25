"""Messages to values and back for what only this service speaks of: diffs, sentinels, tag queries.

DAGs, contexts and instants are in qmtl.wire, because the gateway and the SDK read the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagmanager.diffs.domain.diff import Assignment, DiffCounts, Disposition
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.identity.nodes import Dag
from qmtl.core.modes import ComputeContext
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as servicepb
from qmtl.wire.contexts import DOMAIN_NUMBERS, context_from_proto

DISPOSITIONS = {
    Disposition.NEW: dagpb.DISPOSITION_NEW,
    Disposition.REUSED: dagpb.DISPOSITION_REUSED,
    Disposition.REUSED_WITH_BUFFERING: dagpb.DISPOSITION_REUSED_WITH_BUFFERING,
}


def contexts_from_proto(messages: Sequence[commonpb.ComputeContext]) -> list[ComputeContext]:
    """Compute contexts as the gateway resolved them. Raises InvalidRequest (E_ENUM, E_TIMESTAMP)."""
    return [context_from_proto(message) for message in messages]


def body_of(message: dagpb.Dag, dag: Dag) -> bytes:
    """The DAG as plans store it: the submitted messages in topological order, the same bytes for any upload order."""
    by_id = {node.node_id: node for node in message.nodes}
    ordered = dagpb.Dag(nodes=[by_id[node_id] for node_id in dag.node_ids])
    return ordered.SerializeToString(deterministic=True)


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
