"""Several intervals on one clock: a slower bar is seen when it has closed, however the stream is cut or repeated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.instants import from_ns
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import Bars, StreamInput, latest, resample
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.mesh.data_clock import DataClock
from qmtl.sdk.mesh.history import Market
from qmtl.sdk.mesh.wire.bars import LiveBar
from tests.sdk.mesh.samples import PRESET
from tests.sdk.streams.test_resampling import new_york

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


CLOCKS_CHANGE = datetime(2024, 3, 8, tzinfo=UTC), datetime(2024, 3, 13, tzinfo=UTC)  # New York: on the 10th


def of_an_exchange() -> tuple[Bars, Bars]:
    """Quarters, of which some are missing, and hours of their own, over a weekend on which the clocks change."""
    quarters, hours = (replace(new_york(*CLOCKS_CHANGE, each), symbol="BTC-USD") for each in (900, 3_600))
    kept = np.arange(len(quarters)) % 11 != 5
    return replace(quarters, open_ns=quarters.open_ns[kept], values=quarters.values[kept]), hours


def played(dag: Dag, quarters: Bars, hours: Bars) -> dict[str, list[tuple[int, tuple[float, ...]]]]:
    """What a session's clock makes of bars, as they become known."""
    bars = [
        LiveBar(open_ns, open_ns + length, (row[0], row[1], row[2], row[3], row[4]), name)
        for name, length, of in (("quarters", QUARTER, quarters), ("hours", HOUR, hours))
        for open_ns, row in zip(of.open_ns.tolist(), of.values.tolist(), strict=True)
    ]
    clock, found = DataClock(dag, market()), dict[str, list[tuple[int, tuple[float, ...]]]]()
    for one in sorted(bars, key=lambda each: each.close_ns):
        for step in clock.take([one], one.close_ns - 1):
            for emission in step.emissions:
                found.setdefault(emission.vertex.node_id, []).append((emission.time_ns, emission.row))
    return found


def test_over_gaps_and_a_change_of_clocks_a_session_sees_no_bar_before_its_close() -> None:
    quarters, hours = of_an_exchange()
    price, slow = StreamInput("BTC-USD", "15m"), StreamInput("BTC-USD", "1h")
    made = [resample(price, length, partial="keep", calendar="XNYS") for length in ("1h", "1d")]
    seen = [latest(each, at=price) for each in (slow, *made)]
    dag = build_dag(seen)
    whole = played(dag, quarters, hours)
    for vertex in seen:
        batch = batch_outputs(dag, [quarters, hours])[vertex]
        times = [time_ns for time_ns, _ in whole[vertex.node_id]]
        assert times == batch.time_ns[: len(times)].tolist()  # the last instant is not known whole yet
        assert len(batch) - len(times) <= 1
        assert [list(row) for _, row in whole[vertex.node_id]] == batch.rows[: len(times)].tolist()
    assert {from_ns(time_ns).hour for time_ns, _ in whole[made[1].node_id]} == {20, 21}
    for cut_ns in quarters.close_ns[[7, 15, 25, 33, 42]].tolist():
        fine, coarse = quarters.values.copy(), hours.values.copy()
        fine[quarters.close_ns > cut_ns] *= 0.6
        coarse[hours.close_ns > cut_ns] *= 1.7
        changed = played(dag, replace(quarters, values=fine), replace(hours, values=coarse))
        for each in dag.nodes:
            known = [one for one in whole.get(each.node_id, ()) if one[0] <= cut_ns]
            assert [one for one in changed.get(each.node_id, ()) if one[0] <= cut_ns] == known
