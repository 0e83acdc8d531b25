"""Writes proto/testdata/records.json: records of two nodes with the inputs they were made of, and malformed ones.

`python -m tests.sdk.mesh.reuse.make_vectors`. 64-bit integers are texts, as in proto JSON.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sdk import StreamInput
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode
from qmtl.sdk.mesh.reuse.node_work import NodeWork, QueueLease
from tests.sdk.market import walk

PATH = Path(__file__).resolve().parents[4] / "proto" / "testdata" / "records.json"
BARS = walk(9, seed=5)
ROWS_MAX = 5


def vectors() -> dict[str, object]:
    """The document."""
    price = StreamInput(BARS.symbol)
    average = ta.ema(price, 3)
    outputs = batch_outputs(build_dag([average]), BARS)
    return {
        "records": [
            _node(average, [outputs[price]]),
            _node(ta.atr(price, 2), [outputs[price]]),
            _node(ta.zscore(average, 3), [outputs[average]]),
        ],
        "malformed": list(_malformed(average, [outputs[price]])),
    }


def _node(vertex: FoldNode, inputs: Sequence[Series]) -> dict[str, object]:
    work = NodeWork(vertex, vertex.name, inputs)
    made = [batch for _, batch in work.compute(work.begin, QueueLease("", 0), ROWS_MAX)]
    return {
        "node_id": vertex.node_id,
        "code_hash": vertex.spec.code_hash,
        "interval_s": vertex.interval_s,
        "fields": list(vertex.schema.fields),
        "inputs": [_series(series) for series in inputs],
        "records": [_record(batch) for batch in made],
    }


def _series(series: Series) -> dict[str, object]:
    return {"time_ns": [str(time) for time in series.time_ns.tolist()], "rows": series.rows.tolist()}


def _record(batch: recordspb.RecordBatch) -> dict[str, object]:
    with pa.ipc.open_stream(batch.arrow_ipc) as reader:
        table = reader.read_all()
    times, *columns = (column.to_pylist() for column in table.columns)
    return {
        "start_ns": str(batch.start_time.ToNanoseconds()),
        "end_ns": str(batch.end_time.ToNanoseconds()),
        "input_window_hash": batch.input_window_hash,
        "node_state": batch.node_state.decode(),
        "time_ns": [str(time) for time in times],
        "rows": [list(row) for row in zip(*columns, strict=True)],
    }


def _malformed(vertex: FoldNode, inputs: Sequence[Series]) -> Iterator[dict[str, object]]:
    work = NodeWork(vertex, vertex.name, inputs)
    _, good = next(work.compute(work.begin, QueueLease("", 0)))
    with pa.ipc.open_stream(good.arrow_ipc) as reader:
        table = reader.read_all()
    parts = {
        "no Arrow": (b"not arrow", good.node_state),
        "no JSON": (good.arrow_ipc, b"go"),
        "a state of another size": (good.arrow_ipc, b"[1.0]"),
        "a state that is no number": (good.arrow_ipc, b'[1.0,"x"]'),
        "a state that is not finite": (good.arrow_ipc, b"[1.0,NaN]"),
        "no state": (good.arrow_ipc, b"null"),
        "a field of another name": (_ipc(table.rename_columns(["time_ns", "price"])), good.node_state),
        "a field too many": (_ipc(table.append_column("more", table.column("value"))), good.node_state),
        "times as timestamps": (
            _ipc(table.set_column(0, "time_ns", table.column(0).cast(pa.timestamp("ns")))),
            good.node_state,
        ),
        "times that fall": (_ipc(table.take(list(range(len(table)))[::-1])), good.node_state),
        "a value that is missing": (
            _ipc(table.set_column(1, "value", pa.array([None] * len(table), pa.float64()))),
            good.node_state,
        ),
    }
    for name, (arrow, state) in parts.items():
        yield {
            "name": name,
            "arrow_ipc": base64.b64encode(arrow).decode(),
            "node_state": base64.b64encode(state).decode(),
        }


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
