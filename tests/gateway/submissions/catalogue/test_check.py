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


def test_every_wrong_node_is_named_up_to_twenty() -> None:
    vector = VECTORS["dags"][2]
    request = request_of(vector)
    for node in request.dag.nodes:
        node.name = ""
    with pytest.raises(InvalidRequest) as refused:
        checked_dag(request)
    places = [violation.field for violation in refused.value.violations]
    assert places == [f"dag.nodes[{place}].name" for place in range(len(request.dag.nodes))]
