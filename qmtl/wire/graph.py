"""DAGs, message to value and back; the same in the gateway, in dagmanager and in the SDK."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from blake3 import blake3
from google.protobuf import struct_pb2

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.dag import check_dag, check_node_count
from qmtl.core.identity.keys import NodeSpec
from qmtl.core.identity.nodes import Dag, DagNode, QueueClass, SemanticKind
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.wire.fields import known_enum

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
CLASS_NUMBERS = {value: number for number, value in CLASSES.items()}
KIND_NUMBERS = {value: number for number, value in KINDS.items()}


@dataclass(frozen=True, slots=True)
class KnownSpec:
    """A spec that passed once, with what was computed from it."""

    spec: NodeSpec
    node_id: str
    form: bytes


class SpecCache:
    """Specs by the digest of their bytes, bounded, oldest out first; safe to use from several threads.

    Most nodes of most submissions were seen before: their parameters need no parsing and no hashing again.
    """

    def __init__(self, specs_max: int = 20_000) -> None:
        self._specs_max = specs_max
        self._known: dict[bytes, KnownSpec] = {}
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> KnownSpec | None:
        """The spec whose bytes have this digest, if it passed before."""
        return self._known.get(digest)

    def add(self, digests: Iterable[bytes], dag: Dag) -> None:
        """Remember the specs of a checked DAG; `digests` are in the order of its nodes."""
        with self._lock:
            for digest, node, form in zip(digests, dag.nodes, dag.forms, strict=True):
                self._known.setdefault(digest, KnownSpec(node.spec, node.node_id, form))
            for digest in list(islice(self._known, max(0, len(self._known) - self._specs_max))):
                del self._known[digest]


def dag_from_proto(message: dagpb.Dag, cache: SpecCache | None = None) -> Dag:
    """The checked DAG. Raises InvalidRequest as check_dag does, and E_ENUM for an enum this build does not know."""
    check_node_count(len(message.nodes))
    if cache is None:
        return check_dag(
            [node_from_proto(node, field=f"dag.nodes[{index}]") for index, node in enumerate(message.nodes)]
        )
    digests = [blake3(node.spec.SerializeToString(deterministic=True)).digest() for node in message.nodes]
    known = [cache.get(digest) for digest in digests]
    nodes = [
        node_from_proto(node, before.spec if before is not None else None, field=f"dag.nodes[{index}]")
        for index, (node, before) in enumerate(zip(message.nodes, known, strict=True))
    ]
    forms = {
        before.node_id: before.form
        for node, before in zip(nodes, known, strict=True)
        if before is not None and before.node_id == node.node_id  # else two nodes could swap their ids
    }
    dag = check_dag(nodes, forms)
    if None in known:
        by_id = dict(zip((node.node_id for node in nodes), digests, strict=True))
        cache.add([by_id[node_id] for node_id in dag.node_ids], dag)
    return dag


def node_from_proto(message: dagpb.DagNode, spec: NodeSpec | None = None, field: str = "node") -> DagNode:
    """One node as submitted; not checked against others. `spec` is the node's own, when it was parsed before, `field`
    the path of the message in its request.

    Raises InvalidRequest (E_ENUM, E_NODE_FIELDS).
    """
    names, inputs = message.input_names, message.input_ids
    if names and len(names) != len(inputs):
        raise refused("E_NODE_FIELDS", f"{field}.input_names", f"{len(names)} names", f"{len(inputs)}, as input_ids")
    return DagNode(
        node_id=message.node_id,
        spec=spec_from_proto(message.spec) if spec is None else spec,
        queue_class=known_enum(CLASSES, message.queue_class, f"{field}.queue_class"),
        kind=known_enum(KINDS, message.kind, f"{field}.kind"),
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
