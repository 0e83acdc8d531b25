"""The gateway's messages to values and back, and the checks of a submission that need meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.submissions.catalogue.check import check_nodes
from gateway.submissions.catalogue.node_types import packaged_catalogue
from gateway.submissions.domain import (
    NAME_MAX,
    Record,
    State,
    Step,
    Submission,
    check_crc32,
    check_request,
    strategy_id_of,
)
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import digest
from qmtl.core.identity.keys import node_ids_crc32
from qmtl.core.identity.nodes import Dag
from qmtl.core.modes import ContextHint
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import known_enum, optional_text, require_text
from qmtl.wire.graph import dag_from_proto
from qmtl.wire.instants import instant_from_proto, instant_to_proto
from qmtl.world.v1 import decision_pb2 as decisionpb

STATE_NUMBERS: Mapping[State, controlpb.StrategyState] = {
    State.QUEUED: controlpb.STRATEGY_STATE_QUEUED,
    State.PROCESSING: controlpb.STRATEGY_STATE_PROCESSING,
    State.COMPLETED: controlpb.STRATEGY_STATE_COMPLETED,
    State.FAILED: controlpb.STRATEGY_STATE_FAILED,
    State.CANCELED: controlpb.STRATEGY_STATE_CANCELED,
}

LABELS_MAX = 64
PART_MAX = 100  # assignments that are stored together
STATES = {number: state for state, number in STATE_NUMBERS.items()}


def submission_from_proto(request: strategypb.StrategySubmission, subject: str) -> Submission:
    """A submission, fully checked but for what other services know.

    Raises InvalidRequest: E_REQUEST_ID, E_NAME, E_WORLD_IDS..., E_CHECKSUM_MISMATCH, those of check_dag.
    """
    body = request.SerializeToString(deterministic=True)
    dag = checked_dag(request)
    check_request(request.request_id, request.meta.name, list(request.world_ids))
    _check_meta(request.meta)
    return Submission(
        strategy_id=strategy_id_of(subject, request.request_id),
        request_id=request.request_id,
        body_digest=digest(body),
        request=body,
        meta=request.meta.SerializeToString(deterministic=True),
        dag_digest=dag.digest,
        node_ids=tuple(dag.node_ids),
        subject=subject,
        world_ids=tuple(sorted(request.world_ids)),
    )


def checked_dag(request: strategypb.StrategySubmission) -> Dag:
    """The DAG of a submission, checked. Raises what check_dag and check_nodes raise, E_CHECKSUM_MISMATCH, E_ENUM."""
    dag = dag_from_proto(request.dag)
    by_id = {node.node_id: node for node in dag.nodes}
    check_nodes([by_id[node.node_id] for node in request.dag.nodes], packaged_catalogue())
    check_crc32(request.node_ids_crc32, node_ids_crc32(dag.node_ids))
    if request.hints.execution_domain:
        known_enum(DOMAINS, request.hints.execution_domain, "hints.execution_domain")
    return dag


def _check_meta(meta: strategypb.StrategyMeta) -> None:
    """Every listing shows it. Raises InvalidRequest (E_FIELD)."""
    optional_text(meta.version_label, "meta.version_label", NAME_MAX)
    optional_text(meta.client, "meta.client", NAME_MAX)
    if len(meta.labels) > LABELS_MAX:
        raise refused("E_FIELD", "meta.labels", f"{len(meta.labels)} labels", f"at most {LABELS_MAX}")
    for key, value in meta.labels.items():
        require_text(key, "meta.labels")
        optional_text(value, f"meta.labels[{key}]")


def hint_from_proto(world_id: str, hints: strategypb.ComputeHints) -> ContextHint:
    """The client's hints for one world. Raises InvalidRequest (E_ENUM)."""
    number = hints.execution_domain
    domain = known_enum(DOMAINS, number, "hints.execution_domain") if number else None
    return ContextHint(world_id, domain, hints.partition, hints.dataset_fingerprint)


def hinted_as_of(hints: strategypb.ComputeHints) -> datetime | None:
    """The data snapshot the client pinned itself, if any. Raises InvalidRequest (E_TIMESTAMP)."""
    return instant_from_proto(hints.as_of, "hints.as_of") if hints.HasField("as_of") else None


def strategy_to_proto(record: Record, outcome: bytes = b"") -> strategypb.Strategy:
    """A stored submission for a reader, with what it came to if that is given."""
    return strategypb.Strategy(
        strategy_id=record.strategy_id,
        meta=strategypb.StrategyMeta.FromString(record.meta),
        state=STATE_NUMBERS[record.state],
        reason=record.reason,
        message=record.message,
        submitted_by=record.subject,
        created_at=instant_to_proto(record.created_at),
        updated_at=instant_to_proto(record.updated_at),
        world_ids=record.world_ids,
        dag_digest=record.dag_digest,
        nodes=record.nodes,
        strategy_revision=record.revision,
        release_pending=record.release_pending,
        sentinel_id=record.sentinel_id,
        plan_version=record.plan_version,
        outcomes=strategypb.Strategy.FromString(outcome).outcomes if outcome else (),
    )


def without_selected(decision: decisionpb.DecisionEnvelope) -> decisionpb.DecisionEnvelope:
    """A decision as it stands in outcomes: the strategies of sixteen worlds would not fit into a reply."""
    decision.ClearField("selected")
    return decision


def assignments_to_stored(assignments: Iterable[diffpb.QueueAssignment]) -> dict[str, list[bytes]]:
    """The graph's answer as it is stored: by world, in parts of PART_MAX."""
    by_world: dict[str, list[diffpb.QueueAssignment]] = {}
    for assignment in assignments:
        by_world.setdefault(assignment.world_id, []).append(assignment)
    return {
        world_id: [
            strategyservicepb.ListAssignmentsResponse(assignments=found[at : at + PART_MAX]).SerializeToString()
            for at in range(0, len(found), PART_MAX)
        ]
        for world_id, found in by_world.items()
    }


def assignments_from_stored(parts: Iterable[bytes], first_part: int) -> list[tuple[int, diffpb.QueueAssignment]]:
    """Stored parts that follow each other, each assignment with its place in the whole."""
    found = [one for part in parts for one in strategyservicepb.ListAssignmentsResponse.FromString(part).assignments]
    return list(enumerate(found, first_part * PART_MAX))


def history_to_proto(entries: list[tuple[int, Step]]) -> strategyservicepb.GetStrategyHistoryResponse:
    """The steps of a strategy's life."""
    return strategyservicepb.GetStrategyHistoryResponse(
        entries=[
            strategypb.StrategyHistoryEntry(
                strategy_revision=revision, state=STATE_NUMBERS[step.state], reason=step.reason,
                message=step.message, actor=step.actor,
                time=instant_to_proto(step.at),
            )
            for revision, step in entries
        ]
    )  # fmt: skip


def state_from_proto(number: controlpb.StrategyState) -> State | None:
    """A state filter; unspecified is none. Raises InvalidRequest (E_ENUM)."""
    return known_enum(STATES, number, "state") if number else None
