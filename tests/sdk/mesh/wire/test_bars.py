"""Bars of live streams and Arrow messages, bit for bit."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.core.volumes import VolumeUnit
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import Bars
from qmtl.sdk.mesh.wire.bars import bar_from_proto, bars_from_arrow, subscription
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from tests.sdk.market import gapped, walk
from tests.sdk.mesh.samples import PRESET, ipc


@given(bars=gapped(), cut=st.integers(0, 160))
@settings(deadline=None, max_examples=25)
def test_arrow_parts_come_back_bit_for_bit(bars: Bars, cut: int) -> None:
    middle = int(bars.open_ns[min(cut, len(bars) - 1)]) if len(bars) else 0
    parts = [ipc(bars.between(None, middle)), ipc(bars.between(middle))]
    unit = barspb.VOLUME_UNIT_QUOTE
    preset = datasetspb.Preset(symbol=bars.symbol, interval=Duration(seconds=bars.interval_s), volume_unit=unit)
    back = bars_from_arrow(parts, preset)
    assert (back.symbol, back.interval_s, back.volume_unit) == (bars.symbol, bars.interval_s, VolumeUnit.QUOTE)
    assert back.open_ns.tolist() == bars.open_ns.tolist()
    assert back.values.tobytes() == bars.values.tobytes()


def test_no_parts_are_no_bars() -> None:
    assert len(bars_from_arrow([], PRESET)) == 0


def test_a_preset_that_does_not_say_what_its_volume_counts_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_ENUM"):
        bars_from_arrow([], datasetspb.Preset(symbol="BTC-USD", interval=Duration(seconds=900)))


@given(st.lists(st.floats(1e-9, 1e15), min_size=5, max_size=5))
def test_a_live_bar_has_the_very_doubles_of_history(row: list[float]) -> None:
    bar = barspb.Bar(open_time=ns_to_proto(900 * 10**9), close_time=ns_to_proto(1800 * 10**9))
    bar.open, bar.high, bar.low, bar.close, bar.volume = row
    assert bar_from_proto(bar).row == tuple(row)


def test_subscription_starts_at_a_bar() -> None:
    request = subscription("d", "s", int(walk(2).open_ns[1]))
    assert ns_from_proto(request.start_time, "start_time") == int(walk(2).open_ns[1])
