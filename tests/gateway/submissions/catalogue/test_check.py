"""Submitted DAGs against the node catalogue, by the vectors that clients of every language have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from gateway.submissions.wire import checked_dag
from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.keys import node_ids_crc32
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.gateway.v1 import strategy_pb2 as strategypb

VECTORS = json.loads((Path(__file__).resolve().parents[4] / "proto" / "testdata" / "dags.json").read_text("utf-8"))


def request_of(vector: dict[str, Any]) -> strategypb.StrategySubmission:
    request = strategypb.StrategySubmission(node_ids_crc32=vector["node_ids_crc32"])
    json_format.ParseDict(vector["dag"], request.dag)
    return request


@pytest.mark.parametrize("vector", VECTORS["dags"], ids=lambda vector: vector["name"])
def test_a_strategy_passes_whole(vector: dict[str, Any]) -> None:
    dag = checked_dag(request_of(vector))
    assert node_ids_crc32(dag.node_ids) == vector["node_ids_crc32"]


@pytest.mark.parametrize("vector", VECTORS["refusals"], ids=lambda vector: vector["name"])
def test_a_wrong_node_is_named_with_its_place_and_field(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_dag(request_of(vector))
    assert (refused.value.reason, refused.value.violations[0].field) == (vector["reason"], vector["field"])


def test_what_reads_a_position_may_not_pass_for_a_stream_that_is_shared() -> None:
    request = request_of(next(vector for vector in VECTORS["dags"] if vector["name"] == "position-aware"))
    state = [
        place
        for place, node in enumerate(request.dag.nodes)
        if node.kind == dagpb.SEMANTIC_KIND_MUTABLE_EXECUTION_STATE
    ]
    assert len(state) == 4  # the position, one column of it, a comparison of that, and its product with a stream
    product = max(state, key=lambda place: request.dag.nodes[place].spec.node_type == "arithmetic.multiply")
    request.dag.nodes[product].kind = dagpb.SEMANTIC_KIND_CAUSAL_STREAM
    with pytest.raises(InvalidRequest, match="E_NODE_FIELDS") as refused:
        checked_dag(request)
    assert refused.value.violations[0].field == f"dag.nodes[{product}].kind"


def test_every_wrong_node_is_named_up_to_twenty() -> None:
    vector = VECTORS["dags"][2]
    request = request_of(vector)
    for node in request.dag.nodes:
        node.name = ""
    with pytest.raises(InvalidRequest) as refused:
        checked_dag(request)
    places = [violation.field for violation in refused.value.violations]
    assert places == [f"dag.nodes[{place}].name" for place in range(len(request.dag.nodes))]
