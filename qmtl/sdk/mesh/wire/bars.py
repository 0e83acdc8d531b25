"""Bars of live streams and of Arrow messages to the SDK's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from qmtl.wire.volumes import volume_unit_from_proto

TIME_COLUMN = "open_time"


@dataclass(frozen=True, slots=True)
class LiveBar:
    """One bar of a live stream: open time and the row a source emits at `close_ns`. `preset`: of a universe."""

    open_ns: int
    close_ns: int
    row: tuple[float, ...]
    preset: str = ""


def subscription(dataset: str, session_id: str, from_ns: int, *, follower: str = "") -> dataservicepb.SubscribeRequest:
    """A request for live bars that open at or after `from_ns`; a replay waits for a follower to confirm each bar."""
    start = ns_to_proto(from_ns)
    return dataservicepb.SubscribeRequest(dataset=dataset, session_id=session_id, start_time=start, follower=follower)


def bar_from_proto(bar: barspb.Bar) -> LiveBar:
    """A live bar: the very doubles that history has."""
    row = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return LiveBar(
        ns_from_proto(bar.open_time, "bar.open_time"), ns_from_proto(bar.close_time, "bar.close_time"), row, bar.preset
    )


def bars_from_arrow(parts: Sequence[bytes], preset: datasetspb.Preset) -> Bars:
    """The bars of a preset from consecutive Arrow IPC streams; no parts, no bars."""
    tables = [pa.ipc.open_stream(part).read_all() for part in parts]
    table = pa.concat_tables(tables) if tables else _empty()
    bars = Bars.from_arrow(table, preset.symbol, preset.interval.seconds, time=TIME_COLUMN)
    return replace(bars, volume_unit=volume_unit_from_proto(preset.volume_unit))


def _empty() -> pa.Table:
    fields = [(TIME_COLUMN, pa.timestamp("ns", "UTC")), *((name, pa.float64()) for name in OHLCV.fields)]
    return pa.schema(fields).empty_table()
