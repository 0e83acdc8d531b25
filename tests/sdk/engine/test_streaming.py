"""Streaming equals batch; watermarks, lateness, saved state, warm-up, virtual time."""

import time
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.sdk import Bars, CacheView, Late, Node, StreamInput, TagQuery, node, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.binding import bind
from qmtl.sdk.data.event_order import events_of
from qmtl.sdk.data.outputs import batch_outputs, chunked_outputs, outputs_of, stream_outputs
from qmtl.sdk.engine.chunks import ChunkRun
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.engine.streaming import Emission, StreamEngine
from qmtl.sdk.graph.dag import Dag, build_dag
from tests.sdk.market import START_NS, STEP_NS, gapped, walk

BTC, ETH = StreamInput("BTC-USD"), StreamInput("ETH-USD")


@node(period=4)
def ratio(view: CacheView) -> tuple[float, ...] | None:
    window = view["a"].window(4)
    if window[0] > window[-1]:
        return None
    return (float(window[0] / view["b"].window(3, "high")[0]) + view["b"].field("low"),)


def wide() -> Dag:
    """Every built-in, a custom node over two sources, and readers of both."""
    fast, slow = ta.ema(BTC, 3), ta.ema(BTC, 8)
    mixed = ratio(a=fast, b=ETH)
    return build_dag(
        [
            ta.sma(BTC, 5),
            ta.rsi(BTC, 4),
            ta.macd(ETH, 2, 5, 3),
            ta.atr(BTC, 3),
            ta.zscore(mixed, 3),
            ta.rolling_vol(mixed, 3),
            signals.position_target(signals.cross(fast, slow), long=1.0),
            signals.trend(mixed, ta.returns(ETH, 2)),
        ]
    )


def same_outputs(dag: Dag, one: Outputs, two: Outputs) -> bool:
    return all(
        one[v].time_ns.tolist() == two[v].time_ns.tolist() and one[v].rows.tobytes() == two[v].rows.tobytes()
        for v in dag.nodes
    )


@given(btc=gapped("BTC-USD"), eth=gapped("ETH-USD"))
@settings(deadline=None, max_examples=40)
def test_streaming_equals_batch_over_gaps_and_two_sources(btc: Bars, eth: Bars) -> None:
    dag = wide()
    assert same_outputs(dag, stream_outputs(dag, [btc, eth]), batch_outputs(dag, [btc, eth]))


def folds() -> Dag:
    """Folds alone, over two sources: what is fed in chunks."""
    btc, eth = StreamInput("BTC-USD"), StreamInput("ETH-USD")
    fast, slow = ta.sma(btc, 3), ta.sma(btc, 7)
    spread = ta.ema(btc, 4) - ta.ema(eth, 5)
    target = signals.position_target(signals.cross(fast, slow), long=0.5, short=-0.25)
    return build_dag([target, ta.zscore(spread, 5), ta.sma(eth, 4)])


@given(btc=gapped("BTC-USD"), eth=gapped("ETH-USD"), rows=st.integers(1, 40))
@settings(deadline=None, max_examples=15)
def test_a_graph_fed_in_chunks_equals_batch(btc: Bars, eth: Bars, rows: int) -> None:
    dag = folds()
    assert same_outputs(dag, chunked_outputs(dag, [btc, eth], rows), batch_outputs(dag, [btc, eth]))


def test_a_chunk_below_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="chunk is -5, want how many instants"):
        outputs_of(folds(), walk(60, 1, "BTC-USD"), every_bar=False, chunk=-5, wanted=())


@pytest.mark.parametrize("rows", [1, 2, 7, 20, 60, 61])
def test_a_graph_with_nodes_of_ones_own_is_fed_in_chunks(rows: int) -> None:
    dag, data = wide(), [walk(60, 1, "BTC-USD"), walk(60, 2, "ETH-USD")]
    assert ChunkRun.of(dag) is not None
    assert same_outputs(dag, chunked_outputs(dag, data, rows), batch_outputs(dag, data))


def test_chunks_keep_only_what_is_wanted() -> None:
    dag, data = folds(), [walk(60, 1, "BTC-USD"), walk(60, 2, "ETH-USD")]
    wanted = dag.nodes[-1].node_id
    found = chunked_outputs(dag, data, 7, {wanted})
    assert set(found.by_id) == {wanted, *(source.node_id for source in dag.sources)}
    assert found.by_id[wanted].rows.tobytes() == batch_outputs(dag, data).by_id[wanted].rows.tobytes()


@given(btc=gapped("BTC-USD"), eth=gapped("ETH-USD"))
@settings(deadline=None, max_examples=20)
def test_which_source_comes_first_does_not_matter(btc: Bars, eth: Bars) -> None:
    dag = wide()
    engine, bound = StreamEngine(dag), bind(dag, [btc, eth])
    order = [s for s in dag.sources if s.symbol == "ETH-USD"] + [s for s in dag.sources if s.symbol == "BTC-USD"]
    made: dict[str, list[Emission]] = {v.node_id: [] for v in dag.nodes}
    for source in order:
        bars = bound[source.node_id]
        for time_ns, row in zip(bars.close_ns.tolist(), bars.values.tolist(), strict=True):
            for emission in engine.push(source, time_ns, row):
                made[emission.vertex.node_id].append(emission)
    expected = batch_outputs(dag, [btc, eth])
    for vertex in dag.nodes:
        assert [e.time_ns for e in made[vertex.node_id]] == expected[vertex].time_ns.tolist()
        assert [list(e.row) for e in made[vertex.node_id]] == expected[vertex].rows.tolist()


@given(btc=gapped("BTC-USD"), eth=gapped("ETH-USD"), share=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=25)
def test_saved_engine_continues_exactly_in_another_process(btc: Bars, eth: Bars, share: float) -> None:
    dag = wide()
    events = list(events_of(dag, bind(dag, [btc, eth])))
    cut = int(share * len(events))
    whole, first, second = StreamEngine(dag), StreamEngine(dag), StreamEngine(wide())
    expected = [e for time_ns, source, row in events for e in whole.push(source, time_ns, row)]
    made = [e for time_ns, source, row in events[:cut] for e in first.push(source, time_ns, row)]
    second.load(first.save())
    made += [e for time_ns, source, row in events[cut:] for e in second.push(source, time_ns, row)]
    shown = [(e.vertex.node_id, e.time_ns, e.row) for e in made]
    assert shown == [(e.vertex.node_id, e.time_ns, e.row) for e in expected]
    assert second.save() == whole.save()


def test_a_replay_makes_what_its_bars_make_one_by_one() -> None:
    late, eth = StreamInput("BTC-USD", allowed_lateness="30m"), StreamInput("ETH-USD")
    dag = build_dag([ratio(a=ta.ema(late, 3), b=eth), ta.sma(late, 4)])
    events = list(events_of(dag, bind(dag, [walk(40, 1, "BTC-USD"), walk(40, 2, "ETH-USD")])))
    engine, before_ns = StreamEngine(dag), 0
    made: list[Emission] = []
    for time_ns, source, row in events:
        if time_ns > before_ns:
            made += engine.advance(before_ns)
        made += engine.push(source, time_ns, row)
        before_ns = time_ns
    made += engine.finish()
    replayed = StreamEngine(dag).replay(events)
    for vertex, (times, rows) in zip(dag.nodes, replayed, strict=True):
        own = [one for one in made if one.vertex.node_id == vertex.node_id]
        assert len(own) > 5
        assert [one.time_ns for one in own] == times
        assert [list(one.row) for one in own] == rows


def test_state_of_another_graph_is_refused() -> None:
    state = StreamEngine(build_dag([ta.ema(BTC, 3)])).save()
    with pytest.raises(InvalidRequest, match="E_NODE_STATE"):
        StreamEngine(build_dag([ta.ema(BTC, 4)])).load(state)


def test_late_bars_are_dropped_or_put_aside() -> None:
    for late, kept in ((Late.DROP, 0), (Late.SIDE_OUTPUT, 1)):
        source = StreamInput("BTC-USD", allowed_lateness="15m", late=late)
        engine = StreamEngine(build_dag([source]))
        bar = [1.0, 1.0, 1.0, 1.0, 1.0]
        made = [engine.push(source, START_NS + k * STEP_NS, bar) for k in (1, 3, 2, 4, 1)]
        times = [e.time_ns for pushed in [*made, engine.finish()] for e in pushed]
        assert times == [START_NS + k * STEP_NS for k in (1, 2, 3, 4)]
        assert engine.late_total == 1
        assert len(engine.late) == kept


def test_a_bar_behind_the_watermark_is_late_even_where_none_was_released() -> None:
    source = StreamInput("BTC-USD", allowed_lateness="15m", late=Late.SIDE_OUTPUT)
    engine = StreamEngine(build_dag([source]))
    for k in (1, 5, 3):
        engine.push(source, START_NS + k * STEP_NS, [1.0, 1.0, 1.0, 1.0, 1.0])
    assert [late.time_ns for late in engine.late] == [START_NS + 3 * STEP_NS]


def test_without_lateness_a_repeated_bar_is_late() -> None:
    engine = StreamEngine(build_dag([ta.sma(BTC, 1)]))
    bar = [1.0, 1.0, 1.0, 1.0, 1.0]
    assert len(engine.push(BTC, START_NS, bar)) == 2
    assert engine.push(BTC, START_NS, bar) == []


def test_ticks_move_the_watermark_of_a_silent_source() -> None:
    both = ratio(a=ta.ema(BTC, 3), b=ETH)
    engine = StreamEngine(build_dag([both]))
    engine.push(BTC, START_NS + STEP_NS, [1.0, 1.0, 1.0, 1.0, 1.0])
    assert engine.watermark(both) < START_NS
    engine.tick(ETH, START_NS + STEP_NS)
    assert engine.watermark(both) == START_NS + STEP_NS


def test_nothing_is_decided_before_every_input_is_warm() -> None:
    fast, slow = ta.ema(BTC, 3), ta.sma(BTC, 30)
    target = signals.position_target(signals.trend(fast, slow), long=1.0)
    bars = walk(60)
    series = batch_outputs(build_dag([target]), bars)[target]
    assert series.time_ns[0] == bars.close_ns[29]


def test_a_custom_node_sees_at_most_its_period() -> None:
    seen: list[int] = []
    note = seen.append

    def compute(view: CacheView) -> float:
        note(len(view[0].window(5)))
        with pytest.raises(InvalidRequest, match="E_WINDOW"):
            view[0].window(6)
        with pytest.raises(ValueError, match="read-only"):
            view[0].window(1)[0] = 0.0
        return view[0].latest

    dag = build_dag([Node(BTC, compute, period=5, code_version="1")])
    batch_outputs(dag, walk(9))
    stream_outputs(dag, walk(9))
    assert seen == [5] * 10


def test_view_answers_by_vertex_name_and_position_and_as_a_frame() -> None:
    ema = ta.ema(BTC, 2)
    frames: list[list[str]] = []
    note = frames.append

    def compute(view: CacheView) -> float:
        assert view[ema].latest == view["fast"].latest == view[0].latest
        assert view["fast"].time_ns == view["price"].time_ns
        with pytest.raises(InvalidRequest, match="E_VIEW_KEY"):
            view["slow"]
        note(view["price"].frame().columns)
        return 1.0

    batch_outputs(build_dag([Node({"fast": ema, "price": BTC}, compute, code_version="1")]), walk(3))
    assert frames == [["time", "open", "high", "low", "close", "volume"]] * 2


@pytest.mark.parametrize("read", [time.time, time.monotonic, datetime.now, lambda: time.sleep(0)])
def test_wall_clock_in_a_backtest_is_an_error(read: object) -> None:
    """Also where the scan of the code cannot see what is called."""
    assert callable(read)
    hidden = {"read": read}

    def compute(view: CacheView) -> float:
        hidden["read"]()
        return view[0].latest

    dag = build_dag([Node(BTC, compute, code_version="1", name="clocked")])
    for run in (batch_outputs, stream_outputs):
        with pytest.raises(InvalidRequest, match="clocked") as refused:
            run(dag, walk(3))
        assert refused.value.reason == "E_WALL_CLOCK"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), (1.0, 2.0)])
def test_bad_values_name_the_node(value: float) -> None:
    dag = build_dag([Node(BTC, lambda view: value, code_version="1", name="odd")])
    with pytest.raises(InvalidRequest, match="odd") as refused:
        batch_outputs(dag, walk(3))
    assert refused.value.reason == "E_NODE_VALUE"


def test_an_error_in_a_node_says_which_and_when() -> None:
    dag = build_dag([Node(BTC, lambda view: 1.0 / 0.0, code_version="1", name="broken")])
    with pytest.raises(ZeroDivisionError) as raised:
        batch_outputs(dag, walk(3))
    assert raised.value.__notes__ == ["in node broken at 2021-09-27T00:15:00Z"]


def test_missing_data_and_tag_queries_are_named() -> None:
    dag = build_dag([ta.ema(BTC, 3)])
    with pytest.raises(NotFound, match="BTC-USD at 900s; have ETH-USD 900s"):
        batch_outputs(dag, walk(3, symbol="ETH-USD"))
    with pytest.raises(InvalidRequest, match="E_TAG_QUERY_UNRESOLVED"):
        StreamEngine(build_dag([TagQuery(["btc"], "15m")]))


def test_memory_is_bounded_by_period() -> None:
    dag = build_dag([Node(ta.sma(BTC, 4), lambda view: view[0].latest, period=3, code_version="1")])
    engine = StreamEngine(dag)
    sizes = []
    for k in range(200):
        engine.push(BTC, START_NS + k * STEP_NS, [1.0, 1.0, 1.0, 1.0, 1.0])
        sizes.append(len(engine.save()))
    assert max(sizes[100:]) == min(sizes[100:])
    assert np.isfinite(sizes).all()
