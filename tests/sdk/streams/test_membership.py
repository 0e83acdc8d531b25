"""Membership as a node: 1 at bars that close inside a stay, in batch as streamed; stays without sense are refused."""

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sdk import StreamInput, member
from qmtl.sdk.data.outputs import batch_outputs, stream_outputs
from qmtl.sdk.graph.dag import build_dag
from tests.sdk.market import START_NS, STEP_NS, walk

BTC = StreamInput("BTC-USD")


def _at(bars: int, moved_us: int = 0) -> str:
    return timestamp_text(from_ns(START_NS + bars * STEP_NS + moved_us * 1000))


def test_a_bar_that_closes_at_the_start_is_inside_and_at_the_end_outside() -> None:
    bars = walk(12, 1)
    vertex = member(BTC, [("", _at(2)), (_at(4), _at(6)), (_at(6), _at(7)), (_at(9, 1), "")])
    dag = build_dag([vertex])
    made, streamed = batch_outputs(dag, bars)[vertex], stream_outputs(dag, bars)[vertex]
    closed = np.arange(1, 13)  # bar n closes n steps after the start
    assert made.rows[:, 0].tolist() == [float(n < 2 or 4 <= n < 7 or n > 9) for n in closed.tolist()]
    assert (streamed.time_ns.tolist(), streamed.rows.tobytes()) == (made.time_ns.tolist(), made.rows.tobytes())


def test_a_day_is_its_midnight_and_an_offset_is_counted() -> None:
    same = [[("2008-09-15", "")], [("2008-09-15T02:00:00+02:00", "")], [("2008-09-15T00:00:00Z", "")]]
    assert len({member(BTC, stays).node_id for stays in same}) == 1


@pytest.mark.parametrize(
    ("stays", "told"),
    [
        ([], "E_NODE_PARAMETER"),
        ([("2008-09-15", "2008-09-15")], r"stays\[0\].end"),
        ([("2008-09-15", ""), ("2009-01-01", "")], r"stays\[1\].start"),
        ([("2008-09-15", "2008-09-20"), ("2008-09-19", "")], r"stays\[1\].start"),
        ([("2008-09-15", "2008-09-20"), ("", "")], r"stays\[1\].start"),
        ([("2008-09-15T10:00:00", "")], r"stays\[0\].start"),
        ([("", "soon")], r"stays\[0\].end"),
        ([("2008-09-15", "9999-12-31")], r"stays\[0\].end is '9999-12-31', want .* of the years 1678 to 2261"),
        ([("0001-01-01T00:00:00+14:00", "")], r"stays\[0\].start"),
    ],
)
def test_stays_that_make_no_sense_are_refused(stays: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        member(BTC, stays)
