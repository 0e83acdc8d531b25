"""Feature rows as they are sent: one Arrow IPC stream of plain numbers, no larger in memory than on the wire."""

from __future__ import annotations

import struct

import pyarrow as pa

from qmtl.core.errors import refused
from seamless.arrow import has_compressed_batches
from seamless.domain.features import FeatureRows

TIME = "time_ns"


def rows_of_arrow(body: bytes) -> tuple[FeatureRows, dict[str, str]]:
    """Rows of one Arrow IPC stream, and numpy's kind of each column. Raises InvalidRequest (E_FEATURE_ROWS).

    Arrow's own library reads it: it is made for bytes that nobody has checked, while polars ends the process where a
    batch says that it is larger than memory.
    """
    try:
        table = _table(body)
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise refused("E_FEATURE_ROWS", "arrow_ipc", str(error)[:100], "one Arrow IPC stream") from None
    columns = dict(zip(table.column_names, table.columns, strict=True))
    if len(columns) != table.num_columns or TIME not in columns or columns[TIME].type != pa.int64():
        raise refused("E_FEATURE_ROWS", "columns", ", ".join(table.column_names)[:80], f"{TIME} as int64, each once")
    for name, column in columns.items():
        if column.null_count or (name != TIME and column.type != pa.float64()):
            what = "with nulls" if column.null_count else str(column.type)
            want = "int64 without nulls" if name == TIME else "float64 without nulls"
            raise refused("E_FEATURE_ROWS", name[:80], what, want)
    time_ns = columns.pop(TIME).to_numpy().copy()
    values = {name: column.to_numpy().copy() for name, column in columns.items()}
    return FeatureRows(time_ns, values), {TIME: "i", **dict.fromkeys(values, "f")}


def _table(body: bytes) -> pa.Table:
    """The stream, its bytes checked against what it says of them.

    Raises InvalidRequest (E_FEATURE_ROWS) for what could be far larger than its bytes: compressed batches, and other
    types than numbers; ArrowException, OSError, ValueError or struct.error for what is no stream.
    """
    with pa.ipc.open_stream(body) as reader:
        odd = next((one for one in reader.schema if one.type not in (pa.int64(), pa.float64())), None)
        if odd is not None:
            raise refused("E_FEATURE_ROWS", odd.name[:80], str(odd.type)[:80], f"float64, and {TIME} as int64")
        if has_compressed_batches(body):
            raise refused("E_FEATURE_ROWS", "arrow_ipc", "compressed", "an Arrow IPC stream without compression")
        table = reader.read_all()
    table.validate(full=True)
    return table
