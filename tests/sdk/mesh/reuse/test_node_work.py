"""A node driven from records: equal to computing it, from any point on, and only over the very same inputs."""

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sdk import Bars, CacheView, StreamInput, node
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode, Node
from qmtl.sdk.mesh.reuse.node_work import NodeProgress, NodeWork, QueueLease
from tests.sdk.market import walk

BARS = walk(5000, seed=8, kept=np.arange(5000) % 37 != 5)
KEY = QueueLease("blake3:key", 7)


@node(period=3)
def spread(view: CacheView) -> float | None:
    """The width of two averages' last three values; nothing on every tenth close."""
    wide = float(view["a"].window(3).max() - view["b"].window(3).min())
    return None if view["a"].time_ns % 9_000_000_000_000 == 0 else wide


SOURCE = StreamInput(BARS.symbol, "15m")
FAST, SLOW = ta.ema(SOURCE, 9), ta.sma(SOURCE, 50)
WIDE = spread(a=FAST, b=SLOW)
DAG = build_dag([WIDE, ta.macd(SOURCE), ta.rsi(SOURCE, 14)])
WHOLE = batch_outputs(DAG, BARS)
NODES = [vertex for vertex in DAG.nodes if isinstance(vertex, FoldNode | Node)]


def work(vertex: FoldNode | Node, bars: Bars = BARS) -> NodeWork:
    outputs = WHOLE if bars is BARS else batch_outputs(DAG, bars)
    return NodeWork(vertex, DAG.names[vertex.node_id], [outputs[item] for item in vertex.inputs])


def computed(some: NodeWork, at: NodeProgress | None = None) -> tuple[NodeProgress, list[recordspb.RecordBatch]]:
    made = list(some.compute(at or some.begin, KEY))
    return made[-1][0], [batch for _, batch in made]


def same(one: Series, other: Series) -> bool:
    return one.time_ns.tolist() == other.time_ns.tolist() and one.rows.tobytes() == other.rows.tobytes()


@pytest.mark.parametrize("vertex", NODES, ids=lambda vertex: vertex.name)
def test_records_hold_what_computing_makes_bit_for_bit(vertex: FoldNode | Node) -> None:
    some = work(vertex)
    end, batches = computed(some)
    assert len(batches) == 3
    assert same(end.series, WHOLE[vertex])
    at: NodeProgress | None = some.begin
    for batch in batches:
        assert at is not None
        at = some.take(at, recordspb.RecordBatch.FromString(batch.SerializeToString()))
    assert at is not None
    assert some.finished(at)
    assert same(at.series, WHOLE[vertex])


@pytest.mark.parametrize("vertex", NODES, ids=lambda vertex: vertex.name)
def test_another_runner_takes_over_from_the_saved_state(vertex: FoldNode | Node) -> None:
    _, batches = computed(work(vertex))
    for taken in range(len(batches)):
        some = work(vertex)
        at: NodeProgress | None = some.begin
        for batch in batches[:taken]:
            assert at is not None
            at = some.take(at, batch)
        end, rest = computed(some, at)
        assert same(end.series, WHOLE[vertex])
        assert [batch.input_window_hash for batch in rest] == [b.input_window_hash for b in batches[taken:]]
        assert [batch.arrow_ipc for batch in rest] == [b.arrow_ipc for b in batches[taken:]]


def test_longer_history_goes_on_where_a_shorter_one_ended() -> None:
    short = BARS.between(None, int(BARS.open_ns[3000]))
    _, batches = computed(work(FAST, short))
    some = work(FAST)
    at: NodeProgress | None = some.begin
    for batch in batches:
        assert at is not None
        at = some.take(at, batch)
    assert at is not None
    assert not some.finished(at)
    assert same(computed(some, at)[0].series, WHOLE[FAST])


def test_records_of_other_inputs_are_not_taken() -> None:
    values = BARS.values.copy()
    values[100, 3] += 0.01
    other = Bars(BARS.symbol, BARS.interval_s, BARS.open_ns.copy(), values)
    _, batches = computed(work(FAST, other))
    assert work(FAST).take(work(FAST).begin, batches[0]) is None
    later = BARS.between(int(BARS.open_ns[10]))
    _, batches = computed(work(FAST, later))
    assert work(FAST).take(work(FAST).begin, batches[0]) is None


def test_buckets_are_labelled_by_their_open() -> None:
    _, batches = computed(work(FAST))
    assert batches[0].start_time.ToNanoseconds() == BARS.open_ns[0]
    assert batches[-1].end_time.ToNanoseconds() == BARS.open_ns[-1]
    assert all(len(batch.SerializeToString()) < 256 * 1024 for batch in batches)


def test_a_record_of_another_node_or_of_times_it_does_not_cover_is_malformed() -> None:
    with pytest.raises(InvalidRequest, match="E_RECORD_MALFORMED"):
        work(SLOW).take(work(SLOW).begin, computed(work(FAST))[1][0])
    first, second = computed(work(FAST))[1][:2]
    first.arrow_ipc = second.arrow_ipc
    with pytest.raises(InvalidRequest, match="times of the inputs"):
        work(FAST).take(work(FAST).begin, first)
