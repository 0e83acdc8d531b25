"""Several intervals on one clock: a slower bar is seen when it has closed, however the stream is cut or repeated."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import StreamInput, latest
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.mesh.data_clock import DataClock
from qmtl.sdk.mesh.history import Market
from qmtl.sdk.mesh.wire.bars import LiveBar
from tests.sdk.mesh.samples import PRESET

QUARTER, HOUR = 900 * 10**9, 3_600 * 10**9
BEGIN = 472_222 * HOUR
QUARTERS = 24


def market() -> Market:
    members = []
    for name, seconds in (("quarters", 900), ("hours", 3_600)):
        member = datasetspb.Preset()
        member.CopyFrom(PRESET)
        member.name = name
        member.interval.CopyFrom(Duration(seconds=seconds))
        members.append(member)
    return Market(members[0], tuple(members))


def bar(preset: str, open_ns: int, length_ns: int) -> LiveBar:
    """A bar whose close is the number of its hour since the beginning, so that it says which one is seen."""
    hour = float((open_ns - BEGIN) // HOUR + 1)
    return LiveBar(open_ns, open_ns + length_ns, (hour, hour, hour, hour, 1.0), preset)


QUARTER_BARS = [bar("quarters", BEGIN + n * QUARTER, QUARTER) for n in range(QUARTERS)]
HOUR_BARS = [bar("hours", BEGIN + n * HOUR, HOUR) for n in range(QUARTERS // 4)]
STREAM = sorted([*QUARTER_BARS, *HOUR_BARS], key=lambda each: each.close_ns)


@pytest.mark.parametrize("hours_first", [True, False])
@settings(max_examples=40)
@given(cuts=st.sets(st.integers(1, len(STREAM) - 1)), broken=st.booleans())
def test_a_quarter_sees_the_newest_hour_that_has_closed(hours_first: bool, cuts: set[int], broken: bool) -> None:
    quarters, hours = StreamInput("BTC-USD", "15m"), StreamInput("BTC-USD", "1h")
    seen = latest(hours.field("close"), at=quarters)
    clock = DataClock(build_dag([seen]), market())
    order = sorted(STREAM, key=lambda each: (each.close_ns, (each.preset == "hours") != hours_first))
    found: dict[int, list[float]] = {}
    for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), len(order)], strict=True):
        part = order[low:high]
        # all of an instant is known once a later one is: until then the watermark stands before it
        whole = high == len(order) or order[high].close_ns > part[-1].close_ns
        watermark = part[-1].close_ns if whole else part[-1].close_ns - 1
        if broken and low:
            clock.taken_up()  # the stream came back: what was not known whole comes again
            part = [each for each in order[:high] if each.close_ns > order[low - 1].close_ns - HOUR]
        for step in clock.take(part, watermark):
            for emission in step.emissions:
                if emission.vertex.node_id == seen.node_id:
                    found.setdefault(emission.time_ns, []).append(float(emission.row[0]))
    for time_ns, values in found.items():
        assert values == [float((time_ns - BEGIN) // HOUR)]
    closes = np.array([each.close_ns for each in QUARTER_BARS])
    assert sorted(found) == [int(each) for each in closes if each >= BEGIN + HOUR]
