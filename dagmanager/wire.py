"""Messages to values and back for the graph, with every check that needs meaning.

Nothing is defaulted: an unspecified or unknown enum, a DAG that is not one, or a snapshot finer than a
microsecond is refused here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from google.protobuf import struct_pb2, timestamp_pb2
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as servicepb

from dagmanager.domain.dag import Dag, DagNode, SemanticKind, check_dag, check_node_count
from dagmanager.domain.diff import Assignment, DiffCounts, Disposition
from dagmanager.domain.queues import MatchMode, QueueClass, QueueState, TagQuery, tag_query
from dagmanager.domain.sentinels import Sentinel
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity import Json, NodeSpec
from qmtl.core.modes import ComputeContext, DowngradeReason, ExecutionDomain

E = TypeVar("E", bound=Enum)
N = TypeVar("N", bound=int)

DOMAINS = {
    commonpb.EXECUTION_DOMAIN_BACKTEST: ExecutionDomain.BACKTEST,
    commonpb.EXECUTION_DOMAIN_DRYRUN: ExecutionDomain.DRYRUN,
    commonpb.EXECUTION_DOMAIN_LIVE: ExecutionDomain.LIVE,
    commonpb.EXECUTION_DOMAIN_SHADOW: ExecutionDomain.SHADOW,
}
CLASSES = {
    dagpb.QUEUE_CLASS_RAW: QueueClass.RAW,
    dagpb.QUEUE_CLASS_INDICATOR: QueueClass.INDICATOR,
    dagpb.QUEUE_CLASS_TRADE: QueueClass.TRADE,
}
KINDS = {
    dagpb.SEMANTIC_KIND_CAUSAL_STREAM: SemanticKind.CAUSAL_STREAM,
    dagpb.SEMANTIC_KIND_DELAYED_STREAM: SemanticKind.DELAYED_STREAM,
    dagpb.SEMANTIC_KIND_IMMUTABLE_ARTIFACT: SemanticKind.IMMUTABLE_ARTIFACT,
    dagpb.SEMANTIC_KIND_MUTABLE_EXECUTION_STATE: SemanticKind.MUTABLE_EXECUTION_STATE,
    dagpb.SEMANTIC_KIND_DECISION_VALUE: SemanticKind.DECISION_VALUE,
    dagpb.SEMANTIC_KIND_COMMAND_VALUE: SemanticKind.COMMAND_VALUE,
}
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
DOWNGRADES = {
    commonpb.DOWNGRADE_REASON_DECISION_UNAVAILABLE: DowngradeReason.DECISION_UNAVAILABLE,
    commonpb.DOWNGRADE_REASON_STALE_DECISION: DowngradeReason.STALE_DECISION,
    commonpb.DOWNGRADE_REASON_MISSING_AS_OF: DowngradeReason.MISSING_AS_OF,
}
DOMAIN_NUMBERS = {value: number for number, value in DOMAINS.items()}
CLASS_NUMBERS = {value: number for number, value in CLASSES.items()}
KIND_NUMBERS = {value: number for number, value in KINDS.items()}
MATCH_NUMBERS = {value: number for number, value in MATCH_MODES.items()}


def dag_from_proto(message: dagpb.Dag) -> Dag:
    """The checked DAG. Raises InvalidRequest as check_dag does, and E_ENUM for an enum this build does not know."""
    check_node_count(len(message.nodes))
    return check_dag([node_from_proto(node) for node in message.nodes])


def node_from_proto(message: dagpb.DagNode) -> DagNode:
    """One node as submitted; not checked against others. Raises InvalidRequest (E_ENUM, E_NODE_FIELDS)."""
    names, inputs = message.input_names, message.input_ids
    if names and len(names) != len(inputs):
        raise _refused("E_NODE_FIELDS", "dag.nodes.input_names", f"{len(names)} names", f"{len(inputs)}, as input_ids")
    return DagNode(
        node_id=message.node_id,
        spec=spec_from_proto(message.spec),
        queue_class=known_enum(CLASSES, message.queue_class, "dag.nodes.queue_class"),
        kind=known_enum(KINDS, message.kind, "dag.nodes.kind"),
        schema_hash=message.schema_hash,
        tags=tuple(dict.fromkeys(message.tags)),
        name=message.name,
        inputs=tuple(zip(names or [""] * len(inputs), inputs, strict=True)),
    )


def node_to_proto(node: DagNode) -> dagpb.DagNode:
    """The inverse of node_from_proto."""
    return dagpb.DagNode(
        node_id=node.node_id,
        spec=spec_to_proto(node.spec),
        schema_hash=node.schema_hash,
        tags=node.tags,
        queue_class=CLASS_NUMBERS[node.queue_class],
        kind=KIND_NUMBERS[node.kind],
        name=node.name,
        input_names=[name for name, _ in node.inputs],
        input_ids=[node_id for _, node_id in node.inputs],
    )


def dag_to_proto(dag: Dag) -> dagpb.Dag:
    """The DAG in topological order, as plans store it."""
    return dagpb.Dag(nodes=[node_to_proto(node) for node in dag.nodes])


def spec_from_proto(message: dagpb.NodeSpec) -> NodeSpec:
    """The identity fields; their values are checked when the NodeID is computed."""
    return NodeSpec(
        node_type=message.node_type,
        interval_s=message.interval_s,
        period=message.period,
        params=params_from_struct(message.params),
        dependencies=tuple(message.dependencies),
        schema_compat_id=message.schema_compat_id,
        code_hash=message.code_hash,
    )


def spec_to_proto(spec: NodeSpec) -> dagpb.NodeSpec:
    """The inverse of spec_from_proto; integers become doubles, as Struct has no others."""
    return dagpb.NodeSpec(
        node_type=spec.node_type,
        interval_s=spec.interval_s,
        period=spec.period,
        params=params_to_struct(spec.params),
        dependencies=spec.dependencies,
        schema_compat_id=spec.schema_compat_id,
        code_hash=spec.code_hash,
    )


def params_from_struct(message: struct_pb2.Struct) -> dict[str, Json]:
    """A Struct as plain JSON values. Deep nesting is refused when the NodeID is computed."""
    return {key: _value(message.fields[key]) for key in message.fields}


def params_to_struct(params: Mapping[str, Json]) -> struct_pb2.Struct:
    """JSON values as a Struct."""
    return struct_pb2.Struct(fields={key: _to_value(value) for key, value in params.items()})


def contexts_from_proto(messages: Sequence[commonpb.ComputeContext]) -> list[ComputeContext]:
    """Compute contexts as the gateway resolved them. Raises InvalidRequest (E_ENUM, E_TIMESTAMP)."""
    return [context_from_proto(message) for message in messages]


def context_from_proto(message: commonpb.ComputeContext) -> ComputeContext:
    """One compute context. A downgrade reason this build does not know is kept out; it decides nothing here."""
    return ComputeContext(
        world_id=message.world_id,
        execution_domain=known_enum(DOMAINS, message.execution_domain, "contexts.execution_domain"),
        as_of=instant_from_proto(message.as_of, "contexts.as_of") if message.HasField("as_of") else None,
        partition=message.partition,
        dataset_fingerprint=message.dataset_fingerprint,
        downgraded=message.downgraded,
        downgrade_reason=DOWNGRADES.get(message.downgrade_reason),
        safe_mode=message.safe_mode,
    )


def instant_from_proto(message: timestamp_pb2.Timestamp, field: str) -> datetime:
    """A UTC instant. Raises InvalidRequest (E_TIMESTAMP) outside datetime's range or below a microsecond."""
    if message.nanos % 1000:
        raise _refused("E_TIMESTAMP", field, f"{message.nanos} ns", "whole microseconds")
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _refused("E_TIMESTAMP", field, f"{message.seconds} s", "an instant of the years 1 to 9999") from None


def instant_to_proto(instant: datetime) -> timestamp_pb2.Timestamp:
    """A Timestamp of a UTC instant."""
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(instant)
    return message


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


def domain_number(domain: ExecutionDomain | None) -> commonpb.ExecutionDomain:
    """The wire's number of a domain; none is unspecified."""
    return commonpb.EXECUTION_DOMAIN_UNSPECIFIED if domain is None else DOMAIN_NUMBERS[domain]


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


def known_enum(table: Mapping[N, E], number: N, field: str) -> E:
    """The value of an enum number. Raises InvalidRequest (E_ENUM): unspecified and unknown are never guessed."""
    value = table.get(number)
    if value is None:
        shown = "unspecified" if number == 0 else str(number)
        raise _refused("E_ENUM", field, shown, "one of " + ", ".join(known.name for known in table.values()))
    return value


def _value(message: struct_pb2.Value) -> Json:
    match message.WhichOneof("kind"):
        case "number_value":
            return message.number_value
        case "string_value":
            return message.string_value
        case "bool_value":
            return message.bool_value
        case "list_value":
            return [_value(item) for item in message.list_value.values]
        case "struct_value":
            return params_from_struct(message.struct_value)
        case _:
            return None


def _to_value(value: Json) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Mapping():
            return struct_pb2.Value(struct_value=params_to_struct(value))
        case _:
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_to_value(item) for item in value]))


def _refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(field, value, want)
    return InvalidRequest(reason, str(violation), violations=(violation,))
