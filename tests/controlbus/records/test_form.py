"""The form of records: the committed vectors pass, and what no node could have made is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pytest

from controlbus.records.form import check_form
from qmtl.core.errors import InvalidRequest
from qmtl.data.v1 import records_pb2 as recordspb

VECTORS = json.loads((Path(__file__).resolve().parents[3] / "proto" / "testdata" / "records.json").read_text())
OF_THE_NODE = {"a state of another size", "no state", "a field of another name", "a field too many"}


def arrow(times: list[int], values: list[float], kind: pa.DataType | None = None) -> bytes:
    table = pa.table({"time_ns": pa.array(times, pa.int64()), "value": pa.array(values, kind or pa.float64())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def refusal(batch: recordspb.RecordBatch) -> str:
    with pytest.raises(InvalidRequest, match="E_RECORD_MALFORMED") as caught:
        check_form(batch)
    return caught.value.violations[0].field


@pytest.mark.parametrize("state", [b"null", b"[]", b"[1.5, -2]"])
def test_values_with_any_state_of_numbers_are_a_record(state: bytes) -> None:
    check_form(recordspb.RecordBatch(arrow_ipc=arrow([1, 2], [0.5, 1.5]), node_state=state))


def test_no_rows_and_no_state_are_a_record() -> None:
    check_form(recordspb.RecordBatch(arrow_ipc=arrow([], []), node_state_artifact="blake3:0"))


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_malformed_vectors_are_refused_but_those_that_only_the_node_can_tell(vector: dict[str, str]) -> None:
    batch = recordspb.RecordBatch(
        arrow_ipc=base64.b64decode(vector["arrow_ipc"]), node_state=base64.b64decode(vector["node_state"])
    )
    if vector["name"] in OF_THE_NODE:
        check_form(batch)
    else:
        assert refusal(batch).startswith("batch.")


@pytest.mark.parametrize(
    "values",
    [b"", b"not arrow", arrow([2, 1], [0.0, 0.0]), arrow([1, 1], [0.0, 0.0]), arrow([1], [float("inf")])],
)
def test_what_is_no_table_of_times_and_finite_numbers_is_refused(values: bytes) -> None:
    assert refusal(recordspb.RecordBatch(arrow_ipc=values)) == "batch.arrow_ipc"


def test_values_of_another_type_are_refused() -> None:
    assert refusal(recordspb.RecordBatch(arrow_ipc=arrow([1], [1.0], pa.float32()))) == "batch.arrow_ipc"


@pytest.mark.parametrize("state", [b"", b"go", b"{}", b"1", b'["x"]', b"[true]", b"[NaN]", b"[1e999]", b"[" * 5000])
def test_a_state_that_is_no_list_of_finite_numbers_is_refused(state: bytes) -> None:
    batch = recordspb.RecordBatch(arrow_ipc=arrow([], []))
    batch.node_state = state
    assert refusal(batch) == "batch.node_state"
