"""DAG building: order, names, the type rule."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.keys import node_ids_crc32
from qmtl.sdk import CacheView, Node, SemanticKind, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.kinds import FEEDS, TRADING, kind_over
from qmtl.sdk.graph.vertices import Vertex

ARTIFACT = SemanticKind.IMMUTABLE_ARTIFACT


def last(view: CacheView) -> float:
    return view[0].latest


def of_kind(kind: SemanticKind, *inputs: Vertex, name: str = "") -> Node:
    return Node(inputs, last, kind=kind, name=name)


def test_inputs_come_before_readers_and_each_id_once() -> None:
    price = StreamInput("BTC-USD")
    cross = signals.cross(ta.ema(price, 3), ta.ema(StreamInput("BTC-USD"), 9))
    dag = build_dag([cross, ta.ema(price, 3)])
    assert len(dag.nodes) == 4
    for vertex in dag.nodes:
        assert all(position < dag.position(vertex) for position in dag.inputs_of(vertex))
    assert dag.crc32 == node_ids_crc32([vertex.node_id for vertex in dag.nodes])


def test_order_does_not_depend_on_the_roots_order() -> None:
    price = StreamInput("BTC-USD")
    roots = [ta.ema(price, n) for n in range(2, 9)]
    ids = [vertex.node_id for vertex in build_dag(roots).nodes]
    assert ids == [vertex.node_id for vertex in build_dag(roots[::-1]).nodes]


def test_delayed_stream_to_a_decision_names_the_path() -> None:
    label = of_kind(SemanticKind.DELAYED_STREAM, StreamInput("BTC-USD"), name="label")
    smooth = of_kind(SemanticKind.CAUSAL_STREAM, label, name="smooth")
    score = of_kind(SemanticKind.DECISION_VALUE, smooth, name="score")
    with pytest.raises(InvalidRequest) as refused:
        build_dag([score])
    assert refused.value.reason == "E_DELAYED_STREAM_LEAK"
    assert refused.value.metadata["path"] == "label -> smooth -> score"


def test_an_artifact_made_from_labels_may_decide() -> None:
    label = of_kind(SemanticKind.DELAYED_STREAM, StreamInput("BTC-USD"))
    model = of_kind(SemanticKind.IMMUTABLE_ARTIFACT, label)
    assert build_dag([of_kind(SemanticKind.DECISION_VALUE, model)])


@given(st.lists(st.sampled_from(SemanticKind), min_size=1, max_size=6))
def test_a_chain_builds_exactly_when_the_type_rule_allows_it(kinds: list[SemanticKind]) -> None:
    vertex: Vertex = StreamInput("BTC-USD")
    chain = [SemanticKind.CAUSAL_STREAM]
    for kind in kinds:
        vertex = of_kind(kind, vertex)
        chain.append(kind_over(kind, chain[-1:]))  # what reads one account's state is such a state
    assert vertex.kind is chain[-1]
    legal = all(after in FEEDS[before] for before, after in pairwise(chain))
    shown = "".join(
        "D" if k is SemanticKind.DELAYED_STREAM else "A" if k is ARTIFACT else "!" if k in TRADING else "-"
        for k in chain
    )
    leaks = re.search(r"D[^A]*!", shown) is not None
    if legal and not leaks:
        assert len(build_dag([vertex]).nodes) == len(chain)
    else:
        with pytest.raises(InvalidRequest) as refused:
            build_dag([vertex])
        assert refused.value.reason == ("E_DELAYED_STREAM_LEAK" if leaks else "E_KIND_CONNECTION")


def test_explicit_names_are_used_once() -> None:
    price = StreamInput("BTC-USD")
    with pytest.raises(InvalidRequest, match="E_NAME_DUPLICATE"):
        build_dag([ta.ema(price, 3, name="x"), ta.ema(price, 4, name="x")])
    same = build_dag([ta.ema(price, 3, name="x"), ta.ema(price, 3)])
    assert "x" in same.names.values()


def test_automatic_names_do_not_clash() -> None:
    a, b = StreamInput("A"), StreamInput("B")
    dag = build_dag([ta.ema(a, 3), ta.ema(b, 3)])
    assert sorted(dag.names.values()) == ["A", "B", "ema_3", "ema_3_2"]


def test_empty_graph_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_DAG_EMPTY"):
        build_dag([])


@pytest.mark.soak
def test_ten_thousand_nodes_are_the_limit() -> None:
    price = StreamInput("BTC-USD")
    many = [
        Node(price, last, period=1 + n % 9_000, interval=f"{1 + n // 9_000}s", code_version="1") for n in range(10_000)
    ]
    assert len(build_dag([*many[:9_999]]).nodes) == 10_000
    with pytest.raises(InvalidRequest, match="E_TOO_MANY_NODES"):
        build_dag(many)


def test_warm_up_adds_along_the_longest_path() -> None:
    price = StreamInput("BTC-USD")
    assert build_dag([price]).warmup_bars == 1
    assert build_dag([signals.cross(ta.ema(price, 3), ta.ema(ta.sma(price, 5), 4))]).warmup_bars == 5 + 3 + 1
