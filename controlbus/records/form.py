"""The form of a record, as far as it can be judged without the node that made it. Imports Arrow: 50 MB of memory."""

from __future__ import annotations

import json
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from qmtl.core.errors import refused
from qmtl.core.numbers import is_finite_number
from qmtl.data.v1 import records_pb2 as recordspb

TIME = "time_ns"
REASON = "E_RECORD_MALFORMED"


def check_form(batch: recordspb.RecordBatch) -> None:
    """Refuse values that are no Arrow stream of times and finite numbers, and a state that is no list of numbers.

    Which fields a node has, and how large its state is, its readers know. Raises InvalidRequest (E_RECORD_MALFORMED).
    """
    _check_values(batch.arrow_ipc)
    if batch.WhichOneof("state") == "node_state":
        _check_state(batch.node_state)


def _check_values(arrow_ipc: bytes) -> None:
    try:
        with pa.ipc.open_stream(arrow_ipc) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        raise refused(REASON, "batch.arrow_ipc", f"{len(arrow_ipc)} bytes", "one Arrow IPC stream") from None
    names, types = table.schema.names, table.schema.types
    if names[:1] != [TIME] or types[0] != pa.int64() or any(each != pa.float64() for each in types[1:]):
        want = f"{TIME} of int64, then fields of float64"
        raise refused(REASON, "batch.arrow_ipc", str(table.schema).replace("\n", ", "), want)
    if any(column.null_count for column in table.columns):
        raise refused(REASON, "batch.arrow_ipc", "missing values", "a value in every row")
    times = table.column(TIME).to_pylist()
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise refused(REASON, "batch.arrow_ipc", "times that do not grow", "strictly increasing times")
    if not all(pc.all(pc.is_finite(column)).as_py() is not False for column in table.columns[1:]):
        raise refused(REASON, "batch.arrow_ipc", "values that are not finite", "finite values")


def _check_state(text: bytes) -> None:
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        raise refused(REASON, "batch.node_state", "no JSON", "null, or a JSON list of finite numbers") from None
    if state is not None and not (isinstance(state, list) and all(map(is_finite_number, state))):
        raise refused(REASON, "batch.node_state", type(state).__name__, "null, or a JSON list of finite numbers")
