"""The preset, the cash and the bar that tests of the connected SDK use."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pyarrow as pa
from google.protobuf.duration_pb2 import Duration

from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import Bars

STEP_NS = 900 * 10**9
CASH = Decimal(100_000)
FIELDS = ("open", "high", "low", "close", "volume")
PRESET = datasetspb.Preset(
    name="test.btc",
    dataset="ohlcv:test:BTC-USD:15m",
    replay=True,
    available=True,
    symbol="BTC-USD",
    interval=Duration(seconds=900),
    volume_unit=barspb.VOLUME_UNIT_BASE,
)


def ipc(bars: Bars) -> bytes:
    """Bars as one Arrow IPC stream."""
    columns = {name: bars.values[:, i] for i, name in enumerate(FIELDS)}
    table = pa.table({"open_time": pa.array(bars.open_ns).cast(pa.timestamp("ns", "UTC")), **columns})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return cast(bytes, sink.getvalue().to_pybytes())
