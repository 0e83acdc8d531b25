"""Records of a queue by the vectors that other languages have."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import digest
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sdk.engine.series import Series
from qmtl.sdk.mesh.wire.records import NodeRecord, record_from_proto, record_to_proto
from tests.sdk.mesh.reuse import make_vectors

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))


def record_of(vector: dict[str, Any], width: int) -> NodeRecord:
    times = np.array([int(time) for time in vector["time_ns"]], dtype=np.int64)
    rows = np.array(vector["rows"], dtype=np.float64).reshape(len(times), width)
    state = json.loads(vector["node_state"])
    return NodeRecord(
        int(vector["start_ns"]), int(vector["end_ns"]), vector["input_window_hash"], Series(times, rows), state
    )


def test_the_committed_records_are_what_the_sdk_makes() -> None:
    made = json.loads(json.dumps(make_vectors.vectors()))
    assert made["records"] == VECTORS["records"], "run `python -m tests.sdk.mesh.reuse.make_vectors`"
    assert [each["name"] for each in made["malformed"]] == [each["name"] for each in VECTORS["malformed"]]


@pytest.mark.parametrize("node", VECTORS["records"], ids=lambda node: node["code_hash"])
def test_a_record_round_trips_bit_for_bit(node: dict[str, Any]) -> None:
    for vector in node["records"]:
        record = record_of(vector, len(node["fields"]))
        size = None if record.state is None else len(record.state)
        back = record_from_proto(record_to_proto(record, node["fields"], "blake3:key", 3), node["fields"], size)
        assert (back.first_ns, back.last_ns, back.window_hash, back.state) == (
            record.first_ns, record.last_ns, record.window_hash, record.state
        )  # fmt: skip
        assert back.series.time_ns.tolist() == record.series.time_ns.tolist()
        assert back.series.rows.tobytes() == record.series.rows.tobytes()


@pytest.mark.parametrize("node", VECTORS["records"], ids=lambda node: node["code_hash"])
def test_the_window_hash_is_a_chain_over_the_inputs(node: dict[str, Any]) -> None:
    """As docs/identity.md tells it, without the SDK's own code."""
    times = [int(time) for time in node["inputs"][0]["time_ns"]]
    chain, done = digest(node["node_id"].encode()), 0
    for vector in node["records"]:
        end = times.index(int(vector["end_ns"]) + node["interval_s"] * 10**9) + 1
        parts = [np.array(times[done:end], dtype="<i8").tobytes()]
        parts += [np.array(each["rows"][done:end], dtype="<f8").tobytes() for each in node["inputs"]]
        chain, done = digest(chain.encode() + b"".join(parts)), end
        assert vector["input_window_hash"] == chain


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_what_is_no_record_is_malformed(vector: dict[str, str]) -> None:
    batch = recordspb.RecordBatch(
        arrow_ipc=base64.b64decode(vector["arrow_ipc"]), node_state=base64.b64decode(vector["node_state"])
    )
    with pytest.raises(InvalidRequest) as refused:
        record_from_proto(batch, ["value"], 2)
    assert refused.value.reason == "E_RECORD_MALFORMED"
