"""Records of a node's queue to values and back.

Any producer of the world may have written a record, so every part of one is checked: what is no record of the node is
refused as malformed, never trusted and never an error of the reader.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S
from qmtl.core.numbers import is_finite_number
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sdk.engine.series import Series
from qmtl.wire.instants import NS_SECONDS_MAX, ns_to_proto

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from qmtl.core.arrays.types import Floats

TIME = "time_ns"
STATE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class NodeRecord:
    """What a node made of a stretch of its inputs: buckets by their open, values, and a fold's state after the last."""

    first_ns: int
    last_ns: int
    window_hash: str
    series: Series
    state: list[float] | None


def record_from_proto(message: recordspb.RecordBatch, fields: Sequence[str], state_size: int | None) -> NodeRecord:
    """A record of a node with these fields; `state_size` None: the node has no state.

    Raises InvalidRequest (E_RECORD_MALFORMED) for anything else.
    """
    record = NodeRecord(
        _bucket(message.start_time, "start_time"),
        _bucket(message.end_time, "end_time"),
        message.input_window_hash,
        _series(message.arrow_ipc, fields),
        _state(message.node_state, state_size),
    )
    if record.first_ns > record.last_ns:
        raise refused("E_RECORD_MALFORMED", "end_time", record.last_ns, "not before start_time")
    return record


def record_to_proto(record: NodeRecord, fields: Sequence[str], compute_key: str, epoch: int) -> recordspb.RecordBatch:
    """The message of a record, written under a producer's lease."""
    return recordspb.RecordBatch(
        compute_key=compute_key,
        writer_epoch=epoch,
        start_time=ns_to_proto(record.first_ns),
        end_time=ns_to_proto(record.last_ns),
        input_window_hash=record.window_hash,
        node_state=json.dumps(record.state).encode(),
        arrow_ipc=_arrow(record.series, fields),
    )


def _bucket(time: Timestamp, field: str) -> int:
    if abs(time.seconds) > NS_SECONDS_MAX or not 0 <= time.nanos < NS_PER_S:
        raise refused(
            "E_RECORD_MALFORMED", field, f"{time.seconds} s {time.nanos} ns", "an instant in int64 nanoseconds"
        )
    return time.seconds * NS_PER_S + time.nanos


def _state(text: bytes, size: int | None) -> list[float] | None:
    want = "null" if size is None else f"a JSON list of {size} finite numbers"
    if len(text) > STATE_BYTES_MAX:
        raise refused("E_RECORD_MALFORMED", "node_state", f"{len(text)} bytes", f"at most {STATE_BYTES_MAX}")
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        raise refused("E_RECORD_MALFORMED", "node_state", "no JSON", want) from None
    if size is None:
        if state is not None:
            raise refused("E_RECORD_MALFORMED", "node_state", type(state).__name__, want)
        return None
    if not isinstance(state, list) or len(state) != size or not all(map(is_finite_number, state)):
        raise refused("E_RECORD_MALFORMED", "node_state", type(state).__name__, want)
    return [float(number) for number in state]


def _series(arrow_ipc: bytes, fields: Sequence[str]) -> Series:
    try:
        with pa.ipc.open_stream(arrow_ipc) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        raise refused("E_RECORD_MALFORMED", "arrow_ipc", f"{len(arrow_ipc)} bytes", "one Arrow IPC stream") from None
    if table.schema != _schema(fields) or any(column.null_count for column in table.columns):
        raise refused("E_RECORD_MALFORMED", "arrow_ipc", str(table.schema).replace("\n", ", "), str(_schema(fields)))
    times: np.ndarray = table.column(TIME).to_numpy()
    rows: Floats = np.column_stack([table.column(name).to_numpy() for name in fields])
    if bool((times[1:] <= times[:-1]).any()) or not bool(np.isfinite(rows).all()):
        raise refused("E_RECORD_MALFORMED", "arrow_ipc", "its rows", "times strictly increasing and finite values")
    return Series(times, rows)


def _schema(fields: Sequence[str]) -> pa.Schema:
    return pa.schema([(TIME, pa.int64()), *((name, pa.float64()) for name in fields)])


def _arrow(series: Series, fields: Sequence[str]) -> bytes:
    columns = [pa.array(series.time_ns, pa.int64()), *(pa.array(series.rows[:, i]) for i in range(len(fields)))]
    table = pa.Table.from_arrays(columns, schema=_schema(fields))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())
