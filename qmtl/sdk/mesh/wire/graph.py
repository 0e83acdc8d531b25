"""A graph as it is submitted."""

from __future__ import annotations

from qmtl.core.identity import dag as identity_dag
from qmtl.core.identity.nodes import DagNode, QueueClass
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.kinds import TRADING
from qmtl.sdk.graph.vertices import StreamInput, TagQuery, Vertex
from qmtl.wire.graph import dag_to_proto


def graph_to_proto(dag: Dag) -> dagpb.Dag:
    """A graph as it is submitted, checked as the gateway will check it. Raises InvalidRequest as check_dag does."""
    return dag_to_proto(identity_dag.check_dag(_nodes(dag)))


def graph_digest(dag: Dag) -> str:
    """The digest by which the gateway knows a graph."""
    return identity_dag.dag_digest(_nodes(dag))


def _nodes(dag: Dag) -> list[DagNode]:
    return [_node(dag, vertex) for vertex in dag.nodes]


def _node(dag: Dag, vertex: Vertex) -> DagNode:
    return DagNode(
        node_id=vertex.node_id,
        spec=vertex.spec,
        queue_class=_class(vertex),
        kind=vertex.kind,
        schema_hash=vertex.schema.hash,
        tags=vertex.tags,
        name=dag.names[vertex.node_id],
        inputs=tuple((name, item.node_id) for name, item in zip(vertex.input_names, vertex.inputs, strict=True)),
    )


def _class(vertex: Vertex) -> QueueClass:
    if isinstance(vertex, StreamInput | TagQuery):
        return QueueClass.RAW
    return QueueClass.TRADE if vertex.kind in TRADING else QueueClass.INDICATOR
