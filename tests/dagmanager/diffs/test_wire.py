"""Bodies and assignments on the wire."""

from __future__ import annotations

from hypothesis import given

from dagmanager.diffs import wire as diffs_wire
from dagmanager.diffs.domain.diff import Assignment, Disposition
from qmtl.core.identity.dag import check_dag
from qmtl.core.identity.nodes import DagNode
from qmtl.core.modes import ExecutionDomain
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.wire import graph
from tests.dagmanager.graphs import dags


@given(dags())
def test_the_stored_body_does_not_depend_on_upload_order(nodes: list[DagNode]) -> None:
    dag = check_dag(nodes)
    messages = [graph.node_to_proto(each) for each in nodes]
    bodies = {diffs_wire.body_of(dagpb.Dag(nodes=order), dag) for order in (messages, messages[::-1])}
    assert bodies == {graph.dag_to_proto(dag).SerializeToString(deterministic=True)}


def test_every_value_of_an_assignment_is_on_the_wire() -> None:
    assignment = Assignment(
        "n", "k", "w", ExecutionDomain.DRYRUN, "t", Disposition.REUSED_WITH_BUFFERING, True, 14, "name", 3
    )
    message = diffs_wire.assignment_to_proto(assignment)
    assert {field.name for field, _ in message.ListFields()} == set(diffpb.QueueAssignment.DESCRIPTOR.fields_by_name)
