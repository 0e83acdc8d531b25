"""Several intervals and symbols in one graph: batch equals streaming, and no bar is seen before it has closed."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import Exhausted, InvalidRequest
from qmtl.core.instants import NS_PER_S
from qmtl.sdk import Bars, CacheView, Join, Late, Node, Runner, Strategy, StreamInput, latest, node, resample, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.binding import bind
from qmtl.sdk.data.event_order import events_of
from qmtl.sdk.data.outputs import batch_outputs, chunked_outputs, stream_outputs
from qmtl.sdk.engine.chunks import ChunkRun
from qmtl.sdk.engine.joiner import Joiner
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.engine.streaming import Emission, StreamEngine
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.graph.joins import joining_of
from qmtl.sdk.graph.vertices import Vertex
from qmtl.sdk.repeatability.sample import sample_bars
from qmtl.sdk.research.look_ahead import find_look_ahead
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.engine.test_streaming import same_outputs
from tests.sdk.market import START_NS, STEP_NS, walk

BTC, ETH = StreamInput("BTC-USD"), StreamInput("ETH-USD")
HOUR = StreamInput("BTC-USD", interval="1h")
HOUR_NS = 3600 * NS_PER_S


@node(period=3)
def own_bars(view: CacheView) -> float:
    """Reads windows of a fast and of a slow input."""
    return float(view["fast"].window(3)[0] - view["slow"].window(3)[0]) + float(view["slow"].time_ns // STEP_NS)


@node(period=2, join=Join.AS_OF)
def either(view: CacheView) -> float:
    return view[0].latest / float(view[1].window(2)[0])


@node(join="wait")
def together(view: CacheView) -> float:
    return view[0].latest - view[1].latest + 2.0 * view[-1 % len(view)].latest


def compute_sum(view: CacheView) -> float:
    return view[0].latest + view[1].latest


def as_of() -> list[Vertex]:
    """Joins by what is newest, with a slow source, bars made of finer ones, and readers of both."""
    made = resample(BTC, "30m", partial="keep")
    return [
        ta.ema(BTC, 3) - ta.sma(HOUR, 2),
        own_bars(fast=BTC, slow=HOUR),
        own_bars(fast=ETH, slow=made),
        either(BTC, ETH),
        either(BTC, ETH, HOUR),
        latest(ETH, at=BTC, field="high") / BTC,
        latest(BTC, at=HOUR),
        signals.trend(resample(BTC, "1h"), HOUR),
        ta.sma(either(ta.ema(made, 2), HOUR), 2),
    ]


def mixed() -> Dag:
    """Every join rule."""
    return build_dag([*as_of(), together(BTC, ETH), together(BTC, ETH, HOUR)])


def hours(seed: int, count: int, kept: np.ndarray) -> Bars:
    """Hourly bars over the time of `count` bars of 15 minutes; the last may close after them."""
    bars = walk(-(-count // 4) + 1, seed)
    times = START_NS - START_NS % HOUR_NS + HOUR_NS * np.arange(len(bars), dtype=np.int64)
    return Bars("BTC-USD", 3600, times[kept[: len(bars)]], bars.values[kept[: len(bars)]].copy())


@st.composite
def markets(draw: st.DrawFn) -> list[Bars]:
    n, seed = draw(st.integers(1, 90)), draw(st.integers(0, 2**32 - 1))
    chance = np.random.default_rng(seed)
    missing = draw(st.sampled_from([0.0, 0.1, 0.5]))
    btc, eth, hour = (chance.uniform(size=n + 4) >= missing for _ in range(3))
    return [
        walk(n, seed, "BTC-USD", btc[:n]),
        walk(n, seed + 1, "ETH-USD", eth[:n]),
        hours(seed + 2, n, hour),
    ]


def outputs_of(dag: Dag, emissions: Iterable[Emission]) -> Outputs:
    made: dict[str, tuple[list[int], list[tuple[float, ...]]]] = {v.node_id: ([], []) for v in dag.nodes}
    for emission in emissions:
        made[emission.vertex.node_id][0].append(emission.time_ns)
        made[emission.vertex.node_id][1].append(emission.row)
    empty = batch_outputs(dag, [bars.between(0, 0) for bars in sample_bars(dag)])
    return Outputs(
        {
            v.node_id: replace(
                empty[v],
                time_ns=np.array(made[v.node_id][0], dtype=np.int64),
                rows=np.array(made[v.node_id][1], dtype=np.float64).reshape(-1, len(v.schema.fields)),
            )
            for v in dag.nodes
        }
    )


@given(data=markets())
@settings(deadline=None, max_examples=25)
def test_streaming_equals_batch_over_intervals_symbols_and_gaps(data: list[Bars]) -> None:
    dag = mixed()
    assert same_outputs(dag, stream_outputs(dag, data), batch_outputs(dag, data))


@given(data=markets(), rows=st.integers(1, 40))
@settings(deadline=None, max_examples=15)
def test_chunks_equal_batch_over_intervals_symbols_and_gaps(data: list[Bars], rows: int) -> None:
    dag = build_dag(as_of())
    assert ChunkRun.of(dag) is not None
    assert same_outputs(dag, chunked_outputs(dag, data, rows), batch_outputs(dag, data))


def test_a_graph_that_waits_for_its_last_input_is_fed_event_by_event() -> None:
    dag, data = mixed(), [walk(30, 1, "BTC-USD"), walk(30, 2, "ETH-USD"), hours(3, 30, np.ones(34, dtype=np.bool_))]
    assert ChunkRun.of(dag) is None
    assert same_outputs(dag, chunked_outputs(dag, data, 7), batch_outputs(dag, data))


@given(data=markets(), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=15)
def test_which_source_comes_first_does_not_matter(data: list[Bars], seed: int) -> None:
    """Any interleaving of the sources, each in its own order: a slow bar before or long after its time too."""
    dag = mixed()
    events = list(events_of(dag, bind(dag, data)))
    queues = [[event for event in events if event[1] is source] for source in dag.sources]
    engine, random, made = StreamEngine(dag), np.random.default_rng(seed), list[Emission]()
    while any(queues):
        queue = [queue for queue in queues if queue][random.integers(sum(map(bool, queues)))]
        time_ns, source, row = queue.pop(0)
        made += engine.push(source, time_ns, row)
    made += engine.finish()
    assert same_outputs(dag, outputs_of(dag, made), batch_outputs(dag, data))


@given(data=markets(), share=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=10)
def test_saved_joins_continue_exactly(data: list[Bars], share: float) -> None:
    dag = mixed()
    events = list(events_of(dag, bind(dag, data)))
    cut = int(share * len(events))
    whole, first, second = StreamEngine(dag), StreamEngine(dag), StreamEngine(mixed())
    expected = [e for time_ns, source, row in events for e in whole.push(source, time_ns, row)]
    made = [e for time_ns, source, row in events[:cut] for e in first.push(source, time_ns, row)]
    second.load(first.save())
    made += [e for time_ns, source, row in events[cut:] for e in second.push(source, time_ns, row)]
    assert [(e.vertex.node_id, e.time_ns, e.row) for e in made] == [
        (e.vertex.node_id, e.time_ns, e.row) for e in expected
    ]
    assert second.save() == whole.save()


def test_late_bars_within_the_allowed_lateness_change_nothing() -> None:
    fast = StreamInput("BTC-USD", allowed_lateness="1h")
    slow = StreamInput("BTC-USD", interval="1h", allowed_lateness="2h")
    dag = build_dag([ta.ema(fast, 3) - slow, resample(fast, "30m")])
    data = [walk(80, 5), hours(6, 80, np.ones(40, dtype=np.bool_))]
    events = list(events_of(dag, bind(dag, data)))
    order = np.argsort(
        np.array([e[0] for e in events]) + np.random.default_rng(1).integers(0, 3, len(events)) * STEP_NS
    )
    engine, made = StreamEngine(dag), list[Emission]()
    for time_ns, source, row in (events[i] for i in order):
        made += engine.push(source, time_ns, row)
    made += engine.finish()
    assert engine.late_total == 0
    assert same_outputs(dag, outputs_of(dag, made), batch_outputs(dag, data))


def test_a_slower_bar_is_first_seen_at_its_close() -> None:
    seen = build_dag([latest(HOUR, at=BTC)])
    fast, slow = walk(12, 1), hours(2, 12, np.ones(20, dtype=np.bool_))
    made = batch_outputs(seen, [fast, slow])[seen.nodes[-1]]
    closes = slow.values[:, 3]
    at = (made.time_ns - START_NS) // HOUR_NS - 1
    assert made.time_ns[0] == START_NS + HOUR_NS
    assert made.rows[:, 0].tolist() == closes[at].tolist()


@pytest.mark.parametrize("made_of_finer", [False, True])
def test_what_is_inside_an_unclosed_bar_changes_nothing(made_of_finer: bool) -> None:
    """Perturbation: an hourly value moved within an hour, by its unclosed bar, is not seen before the hour ends."""
    hour: Vertex = resample(BTC, "1h") if made_of_finer else HOUR
    dag = build_dag([latest(hour, at=BTC), own_bars(fast=BTC, slow=hour), ta.ema(BTC, 2) - ta.ema(hour, 2)])
    fast, slow = walk(60, 1), hours(2, 60, np.arange(40) % 5 != 3)
    whole = stream_outputs(dag, [fast, slow])
    for cut in range(9, 60, 4):
        cut_ns = int(fast.close_ns[cut])
        values = slow.values.copy()
        values[slow.close_ns > cut_ns] *= 1.7
        fine = fast.values.copy()
        fine[fast.close_ns > cut_ns] *= 0.6
        changed = [replace(fast, values=fine), replace(slow, values=values)]
        for one in (batch_outputs(dag, changed), stream_outputs(dag, changed)):
            for vertex in dag.nodes:
                known = whole[vertex].time_ns <= cut_ns
                assert (one[vertex].time_ns <= cut_ns).sum() == known.sum()
                assert one[vertex].rows[: known.sum()].tobytes() == whole[vertex].rows[known].tobytes()
    assert find_look_ahead(dag, [fast, slow]) == ()
    assert find_look_ahead(dag, sample_bars(dag)) == ()


def test_a_missing_slower_bar_holds_until_a_tick_says_that_time_passed() -> None:
    dag = build_dag([latest(HOUR, at=BTC)])
    engine, row = StreamEngine(dag), [1.0, 1.0, 1.0, 1.0, 1.0]
    engine.push(HOUR, START_NS + HOUR_NS, row)
    at = [START_NS + HOUR_NS + k * STEP_NS for k in range(6)]
    made = [len(engine.push(BTC, time_ns, row)) for time_ns in at]
    assert made == [2, 2, 2, 2, 1, 1]  # the hourly bar that closes at at[4] did not come
    assert [e.time_ns for e in engine.tick(HOUR, at[4])] == at[4:]
    assert [len(engine.push(BTC, at[5] + STEP_NS, row))] == [2]


def test_an_input_that_says_nothing_is_not_waited_for_without_end() -> None:
    joining = joining_of([900, 3600])
    assert joining is not None
    waiting = Joiner(joining, waiting_max=3)
    for k in range(3):
        waiting.offer(k, [(0, [1.0])])
    with pytest.raises(Exhausted, match="E_JOIN_WAITING"):
        waiting.offer(3, [(0, [1.0])])


def flat(symbol: str, *at: int, value: float = 1.0) -> Bars:
    times = START_NS + STEP_NS * np.array(at, dtype=np.int64)
    values = np.column_stack([value + np.arange(len(at), dtype=np.float64)] * 5)
    return Bars(symbol, 900, times, values)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Join.DROP, [(1, 2.0, 30.0), (5, 5.0, 32.0)]),
        (Join.AS_OF, [(1, 2.0, 30.0), (2, 3.0, 30.0), (3, 3.0, 31.0), (4, 4.0, 31.0), (5, 5.0, 32.0)]),
        (Join.WAIT, [(1, 2.0, 30.0), (3, 3.0, 31.0), (5, 5.0, 32.0)]),
    ],
)
def test_who_is_missing_is_answered_by_the_rule(rule: Join, expected: list[tuple[int, float, float]]) -> None:
    """BTC has bars at 0 1 2 4 5, ETH at 1 3 5: DROP takes both, AS_OF any, WAIT the last to come."""
    data = [flat("BTC-USD", 0, 1, 2, 4, 5), flat("ETH-USD", 1, 3, 5, value=30.0)]
    vertex = Node([BTC, ETH], lambda view: 1000.0 * view[0].latest + view[1].latest, join=rule)
    for run in (batch_outputs, stream_outputs):
        made = run(build_dag([vertex]), data)[vertex]
        places = ((made.time_ns - START_NS) // STEP_NS - 1).tolist()
        found = list(zip(places, made.rows[:, 0].tolist(), strict=True))
        assert found == [(at, 1000.0 * one + other) for at, one, other in expected]


def test_the_rule_is_part_of_a_nodes_identity_and_an_unknown_one_is_refused() -> None:
    ids = {Node([BTC, ETH], lambda view: 1.0, join=rule).node_id for rule in Join}
    assert len(ids) == 3
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        Node([BTC, ETH], lambda view: 1.0, join="later")


def test_warm_up_counts_each_inputs_own_bars() -> None:
    dag = build_dag([ta.ema(BTC, 9) - ta.sma(HOUR, 20)])
    assert (dag.warmup_of(BTC), dag.warmup_of(HOUR), dag.warmup_bars) == (9, 20, 20)
    finer = build_dag([ta.ema(resample(BTC, "1h"), 20)])
    assert finer.warmup_of(BTC) == 7 + 19 * 4
    assert build_dag([own_bars(fast=BTC, slow=HOUR)]).warmup_of(HOUR) == 3
    assert build_dag([ta.sma(BTC - HOUR, 9)]).warmup_of(HOUR) == 1 + 2
    begin = START_NS + STEP_NS  # inside an hour: the first whole one needs most bars
    for count in (7 + 19 * 4 - 1, 7 + 19 * 4):
        bars = Bars("BTC-USD", 900, begin + STEP_NS * np.arange(count), walk(count).values)
        assert len(batch_outputs(finer, bars)[finer.nodes[-1]]) == (count == 7 + 19 * 4)


def test_a_strategy_on_two_intervals_trades_the_bars_of_its_price() -> None:
    class Two(Strategy):
        def setup(self) -> None:
            rising = signals.trend(ta.ema(HOUR, 2), ta.ema(HOUR, 4))
            self.trade(signals.position_target(rising, long=0.001, short=0.0), BTC)

    data = [walk(400, 3), hours(4, 400, np.ones(200, dtype=np.bool_))]
    one, two = (Runner.backtest(Two(), data, every_bar=every_bar).replay for every_bar in (False, True))
    assert one.fills == two.fills
    assert one.fills
    assert {fill.time_ns % HOUR_NS for fill in one.fills} == {0}  # decided at an hour's close, filled at the next open
    assert assemble(Two()).dag.warmup_of(HOUR) == 4


def test_a_bar_at_an_instant_that_was_joined_without_it_is_late() -> None:
    """A tick said that nothing of ETH is missing up to it; taken afterwards, the bar would make that event again."""
    for interrupted in (False, True):
        eth = StreamInput("ETH-USD", late=Late.SIDE_OUTPUT)
        dag = build_dag([Node([BTC, eth], compute_sum, join=Join.AS_OF)])
        engine, row, at = StreamEngine(dag), [1.0, 1.0, 1.0, 1.0, 1.0], START_NS + STEP_NS
        made = [*engine.push(eth, START_NS, row), *engine.push(BTC, at, row), *engine.tick(eth, at)]
        assert [e.time_ns for e in made if e.vertex is dag.nodes[-1]] == [at]
        if interrupted:
            saved, engine = engine.save(), StreamEngine(dag)
            engine.load(saved)
        assert engine.push(eth, at, row) == []
        assert [bar.time_ns for bar in engine.late] == [at]
        after = [*engine.push(BTC, at + STEP_NS, row), *engine.push(eth, at + STEP_NS, row)]
        assert [e.time_ns for e in after if e.vertex is dag.nodes[-1]] == [at + STEP_NS]


def test_the_last_bar_that_the_allowed_lateness_takes_is_waited_for() -> None:
    eth = StreamInput("ETH-USD", allowed_lateness="15m")
    dag = build_dag([Node([BTC, eth], compute_sum, join=Join.AS_OF)])
    data = [flat("BTC-USD", 0, 1, 2, 3), flat("ETH-USD", 0, 1, 2, 3, value=30.0)]
    engine, made = StreamEngine(dag), list[Emission]()
    rows = {each.symbol: each.values.tolist() for each in data}
    for source, at in ((BTC, 0), (eth, 0), (BTC, 1), (eth, 2), (eth, 1), (BTC, 2), (eth, 3), (BTC, 3)):
        made += engine.push(source, START_NS + STEP_NS * (at + 1), rows[source.symbol][at])
    made += engine.finish()
    assert engine.late_total == 0
    assert same_outputs(dag, outputs_of(dag, made), batch_outputs(dag, data))


@pytest.mark.parametrize("shift_s", [0, -2_000_000_000 // 3600 * 3600], ids=["now", "before 1970"])
def test_bars_from_before_1970_are_bars(shift_s: int) -> None:
    shift = shift_s * NS_PER_S
    late = np.arange(40) >= 2
    data = [replace(bars, open_ns=bars.open_ns + shift) for bars in (walk(40, 1), walk(40, 2, "ETH-USD", late))]
    both, hour = together(BTC, ETH), resample(BTC, "1h")
    dag = build_dag([both, hour])
    batch = batch_outputs(dag, data)
    assert (len(batch[both]), len(batch[hour])) == (38, 10)
    assert same_outputs(dag, stream_outputs(dag, data), batch)
