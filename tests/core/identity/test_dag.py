"""The checks a DAG passes before the graph looks at it."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.dag import EDGES_MAX, NODES_MAX, check_dag, topological_order
from qmtl.core.identity.keys import canonical_form, node_id
from qmtl.core.identity.nodes import DagNode, SemanticKind
from tests.dagmanager.graphs import chain, dags, node

MISSING = "blake3:" + "0" * 64


def refused(nodes: list[DagNode]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check_dag(nodes)
    return caught.value


def named_cycle(graph: dict[str, list[str]]) -> list[str]:
    try:
        order = topological_order(graph)
    except InvalidRequest as error:
        return error.metadata["nodes"].split(",")
    assert sorted(order) == sorted(graph)
    return []


@given(dags(), st.randoms(use_true_random=False))
def test_order_and_digest_do_not_depend_on_upload_order(nodes: list[DagNode], shuffler: random.Random) -> None:
    shuffled = list(nodes)
    shuffler.shuffle(shuffled)
    assert check_dag(shuffled) == check_dag(nodes)


@given(dags())
def test_every_node_comes_after_its_inputs_and_ties_go_by_node_id(nodes: list[DagNode]) -> None:
    order = check_dag(nodes).node_ids
    inputs = {each.node_id: set(each.spec.dependencies) for each in nodes}
    done: set[str] = set()
    for at in order:
        ready = {each for each, wanted in inputs.items() if each not in done and wanted <= done}
        assert at == min(ready)
        done.add(at)
    assert done == set(inputs)


def test_a_chain_of_the_largest_size_needs_no_recursion() -> None:
    ids = [f"blake3:{index:064x}" for index in range(NODES_MAX)]
    order = topological_order({node_id: ids[:index][-1:] for index, node_id in enumerate(ids)})
    assert order == ids


def test_a_cycle_is_refused_naming_its_nodes() -> None:
    graph = {"a": ["c"], "b": ["a"], "c": ["b"], "behind": ["a"], "free": []}
    with pytest.raises(InvalidRequest) as caught:
        topological_order(graph)
    assert caught.value.reason == "E_CYCLE"
    assert sorted(caught.value.metadata["nodes"].split(",")) == ["a", "b", "c"]


@given(st.dictionaries(st.integers(0, 8), st.sets(st.integers(0, 8), max_size=3), min_size=1))
def test_what_is_named_a_cycle_is_one(raw: dict[int, set[int]]) -> None:
    graph = {str(key): [str(value) for value in values if value in raw] for key, values in raw.items()}
    if not (cycle := named_cycle(graph)):
        return
    for at, follows in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        assert follows in graph[at]


def test_an_unknown_dependency_is_refused_naming_both() -> None:
    source, user = chain(2)
    error = refused([user])
    assert error.reason == "E_UNKNOWN_DEPENDENCY"
    assert user.node_id in error.message
    assert source.node_id in error.message


def test_structure_is_checked_before_identity() -> None:
    first, second = chain(2)
    looped = replace(first, spec=replace(first.spec, dependencies=(second.node_id,)), inputs=())
    assert refused([looped, second]).reason == "E_CYCLE"


def test_a_wrong_node_id_is_refused_naming_the_node() -> None:
    first, second = chain(2)
    wrong = replace(second, spec=replace(second.spec, period=21))
    error = refused([first, wrong])
    assert error.reason == "E_NODE_ID_MISMATCH"
    assert error.metadata["nodes"] == second.node_id
    assert error.violations[0].field == "dag.nodes[1].node_id"
    assert (error.metadata["index"], error.metadata["expected"]) == ("1", node_id(wrong.spec))
    assert error.metadata["canonical"].encode() == canonical_form(wrong.spec)


def test_every_field_path_is_whole_and_indexed() -> None:
    first, second = chain(2)
    bad = replace(second, spec=replace(second.spec, params={"world": "w1", "n": math.nan}))
    assert [found.field for found in refused([first, bad]).violations] == ["dag.nodes[1].spec.params.world"]
    orphan = replace(second, spec=replace(second.spec, dependencies=(*second.spec.dependencies, MISSING)), inputs=())
    assert [found.field for found in refused([first, orphan]).violations] == ["dag.nodes[1].spec.dependencies[1]"]
    twice = refused([first, second, first])
    assert [found.field for found in twice.violations] == ["dag.nodes[0].node_id", "dag.nodes[2].node_id"]
    tagged = replace(second, tags=("fine", "not fine"))
    assert [found.field for found in refused([first, tagged]).violations] == ["dag.nodes[1].tags[1]"]


def test_too_many_edges_are_refused() -> None:
    first, second = chain(2)
    many = replace(second, spec=replace(second.spec, dependencies=(first.node_id,) * (EDGES_MAX + 1)))
    assert refused([first, many]).reason == "E_TOO_MANY_EDGES"


def test_more_than_ten_thousand_nodes_are_refused() -> None:
    error = refused([node("n")] * 11_000)
    assert error.reason == "E_TOO_MANY_NODES"
    assert "11000" in error.message


def test_an_empty_dag_and_a_node_sent_twice_are_refused() -> None:
    assert refused([]).reason == "E_DAG_EMPTY"
    assert refused([node("n"), node("n")]).reason == "E_DUPLICATE_NODE"


def test_a_delayed_stream_must_not_reach_a_decision() -> None:
    label = node("label", kind=SemanticKind.DELAYED_STREAM)
    middle = node("middle", label)
    decision = node("decision", middle, kind=SemanticKind.DECISION_VALUE)
    error = refused([label, middle, decision])
    assert error.reason == "E_DELAYED_STREAM_LEAK"
    assert "decision <- middle <- label" in error.message


def test_an_artifact_made_from_labels_may_feed_a_decision() -> None:
    label = node("label", kind=SemanticKind.DELAYED_STREAM)
    model = node("model", label, kind=SemanticKind.IMMUTABLE_ARTIFACT)
    decision = node("decision", model, kind=SemanticKind.DECISION_VALUE)
    assert len(check_dag([label, model, decision]).nodes) == 3


@pytest.mark.parametrize(
    "change",
    [{"tags": ("no spaces",)}, {"tags": ("a",) * 33}, {"name": "x" * 201}, {"inputs": (("x", "blake3:" + "0" * 64),)}],
)
def test_bad_fields_are_refused_naming_the_node(change: dict[str, object]) -> None:
    first = replace(node("first"), **change)  # type: ignore[arg-type]  # each case changes one field of its own type
    error = refused([first])
    assert error.reason == "E_NODE_FIELDS"
    assert error.metadata["nodes"] == first.node_id
