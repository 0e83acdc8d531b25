"""Replay sessions and their bars as messages."""

from __future__ import annotations

from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as servicepb
from seamless.domain.bars import Bars
from seamless.domain.fingerprints import decimals
from seamless.domain.playback import Replay
from seamless.wire import stamp


def replay_to_proto(replay: Replay) -> servicepb.DataSession:
    return servicepb.DataSession(
        session_id=replay.session_id,
        preset=replay.preset,
        dataset=replay.dataset,
        start=stamp(replay.span.start_ns),
        end=stamp(replay.span.end_ns),
        bars_per_second=replay.bars_per_s,
        watermark=stamp(replay.watermark_ns),
        opened_at=stamp(replay.opened_at_ns),
        dataset_fingerprint=replay.history,
    )


def bars_to_proto(table: Bars, interval_ns: int) -> list[datapb.Bar]:
    """Bars as messages, prices and volume as exact decimal text."""
    rows = zip(table.time_ns.tolist(), *(decimals(v) for v in table.values()), strict=True)
    return [
        datapb.Bar(
            open_time=stamp(opened),
            close_time=stamp(opened + interval_ns),
            open=first,
            high=high,
            low=low,
            close=last,
            volume=volume,
        )
        for opened, first, high, low, last, volume in rows
    ]
