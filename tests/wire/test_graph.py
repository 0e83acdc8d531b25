"""Messages to values and back."""

from __future__ import annotations

import math
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagmanager.diffs import wire as diffs_wire
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.dag import check_dag
from qmtl.core.identity.nodes import DagNode
from qmtl.core.modes import ComputeContext, DowngradeReason, ExecutionDomain
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.wire import contexts, graph
from tests.dagmanager.graphs import dags, node

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(dags())
def test_a_dag_comes_back_as_it_went(nodes: list[DagNode]) -> None:
    dag = check_dag(nodes)
    sent = dagpb.Dag.FromString(graph.dag_to_proto(dag).SerializeToString())
    assert graph.dag_from_proto(sent) == dag


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_params_come_back_as_they_went(params: dict[str, Json]) -> None:
    assert graph.params_from_struct(graph.params_to_struct(params)) == params


@given(
    st.builds(
        ComputeContext,
        world_id=st.text(),
        execution_domain=st.sampled_from(ExecutionDomain),
        as_of=st.none() | st.datetimes(timezones=st.just(UTC)),
        partition=st.text(),
        dataset_fingerprint=st.text(),
        downgraded=st.booleans(),
        downgrade_reason=st.none() | st.sampled_from(DowngradeReason),
        safe_mode=st.booleans(),
    )
)
def test_contexts_come_back_as_they_went(context: ComputeContext) -> None:
    assert contexts.context_from_proto(contexts.context_to_proto(context)) == context


@pytest.mark.parametrize("number", [0, 99])
def test_unspecified_and_unknown_enums_are_refused(number: int) -> None:
    no_class, no_kind = graph.node_to_proto(node("n")), graph.node_to_proto(node("n"))
    no_class.queue_class = number  # type: ignore[assignment]  # a class of a later build
    no_kind.kind = number  # type: ignore[assignment]  # a kind of a later build
    for field, message in (("queue_class", no_class), ("kind", no_kind)):
        with pytest.raises(InvalidRequest) as caught:
            graph.node_from_proto(message)
        assert caught.value.reason == "E_ENUM"
        assert caught.value.violations[0].field == f"node.{field}"


@pytest.mark.parametrize("value", [math.nan, math.inf, 2.0**53 + 2])
def test_numbers_no_json_can_hold_are_refused(value: float) -> None:
    message = graph.node_to_proto(node("n"))
    message.spec.params.update({"window": value})
    with pytest.raises(InvalidRequest) as caught:
        graph.dag_from_proto(dagpb.Dag(nodes=[message]))
    assert caught.value.reason == "E_NODE_ID_FIELDS"
    assert caught.value.violations[0].field == "dag.nodes[0].spec.params.window"


def test_a_snapshot_finer_than_a_microsecond_is_refused() -> None:
    message = commonpb.ComputeContext(world_id="w", execution_domain=commonpb.EXECUTION_DOMAIN_BACKTEST)
    message.as_of.nanos = 1
    with pytest.raises(InvalidRequest) as caught:
        diffs_wire.contexts_from_proto([message])
    assert caught.value.reason == "E_TIMESTAMP"


@given(st.lists(dags(max_nodes=6), min_size=1, max_size=4), st.integers(0, 20))
def test_a_cache_of_any_size_changes_no_answer(many: list[list[DagNode]], specs_max: int) -> None:
    cache = graph.SpecCache(specs_max)
    for nodes in [*many, *many]:
        message = dagpb.Dag(nodes=[graph.node_to_proto(each) for each in nodes])
        assert graph.dag_from_proto(message, cache) == graph.dag_from_proto(message)


def test_a_spec_that_passed_does_not_vouch_for_another_id() -> None:
    cache = graph.SpecCache()
    good, other = graph.node_to_proto(node("good")), graph.node_to_proto(node("other"))
    graph.dag_from_proto(dagpb.Dag(nodes=[good, other]), cache)
    alone = graph.node_to_proto(node("good"))
    alone.node_id = other.node_id
    swapped = [graph.node_to_proto(node("good")), graph.node_to_proto(node("other"))]
    swapped[0].node_id, swapped[1].node_id = other.node_id, good.node_id
    for messages in ([alone], swapped):
        with pytest.raises(InvalidRequest) as caught:
            graph.dag_from_proto(dagpb.Dag(nodes=messages), cache)
        assert caught.value.reason == "E_NODE_ID_MISMATCH"
