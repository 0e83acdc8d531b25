"""Custom nodes with a state of their own: pure steps, the same in batch, event by event and after a hand-over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, CacheView, Node, Runner, Strategy, StreamInput, node, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.binding import bind
from qmtl.sdk.data.event_order import events_of
from qmtl.sdk.data.outputs import batch_outputs, stream_outputs
from qmtl.sdk.engine.streaming import StreamEngine
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.mesh.reuse.node_work import NodeWork, QueueLease
from qmtl.sdk.research.look_ahead import find_look_ahead
from tests.sdk.engine.test_streaming import same_outputs
from tests.sdk.market import gapped, prices, walk

PRICE = StreamInput("BTC-USD")
State = tuple[float, ...]


@node(state=(0.0, 0.0))
def drawdown(state: State, view: CacheView) -> tuple[State, float]:
    """Share lost since the highest close, and how many bars ago that was, in its state."""
    high, bars = state
    price = view[0].latest
    high, bars = (price, 0.0) if price >= high else (high, bars + 1.0)
    return (high, bars), price / high - 1.0


@node(state=[1.0], period=3)
def every_other(state: State, view: CacheView) -> tuple[State, float | None]:
    """A value at every second event at which three closes are there."""
    return (-state[0],), float(view["of"].window(3).sum()) if state[0] > 0.0 else None


def dag() -> Dag:
    return build_dag([ta.sma(drawdown(PRICE), 2), every_other(of=PRICE), drawdown(every_other(of=ta.ema(PRICE, 3)))])


def test_values_are_by_hand() -> None:
    lost, half = drawdown(PRICE), every_other(of=PRICE)
    made = batch_outputs(build_dag([lost, half]), prices(10.0, 20.0, 15.0, 5.0, 40.0))
    assert made[lost].rows[:, 0].tolist() == [0.0, 0.0, -0.25, -0.75, 0.0]
    assert made[half].rows[:, 0].tolist() == [45.0, 60.0]


@given(bars=gapped(), share=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=10)
def test_streaming_with_a_hand_over_equals_batch(bars: Bars, share: float) -> None:
    graph = dag()
    batch = batch_outputs(graph, bars)
    assert same_outputs(graph, stream_outputs(graph, bars), batch)
    first, second = StreamEngine(graph), StreamEngine(dag())
    events = list(events_of(graph, bind(graph, bars)))
    cut = int(share * len(events))
    made = [one for time_ns, source, row in events[:cut] for one in first.push(source, time_ns, row)]
    second.load(first.save())
    made += [one for time_ns, source, row in events[cut:] for one in second.push(source, time_ns, row)]
    for vertex in graph.nodes:
        rows = [list(one.row) for one in made if one.vertex.node_id == vertex.node_id]
        assert rows == batch[vertex].rows.tolist()


def test_records_of_a_queue_carry_the_state_from_one_to_the_next() -> None:
    bars, lost = walk(200, 4), drawdown(PRICE)
    outputs = batch_outputs(build_dag([lost]), bars)
    work = NodeWork(lost, "lost", [outputs[PRICE]])
    assert work.repeats()
    read = work.begin
    for _, batch in list(work.compute(work.begin, QueueLease("key", 1), 37)):
        taken = work.take(read, batch)
        assert taken is not None
        read = taken
    assert read.series.rows.tolist() == outputs[lost].rows.tolist()
    assert read.state is not None
    assert read.state[0] == bars.values[:, 3].max()


def test_it_looks_only_back_and_trades() -> None:
    class Own(Strategy):
        def setup(self) -> None:
            direction = signals.when(long=drawdown(PRICE) < -0.01)
            self.trade(signals.position_target(direction, long=0.5, hold=False), PRICE)

    bars = walk(300, 6)
    assert find_look_ahead(build_dag([drawdown(PRICE)]), bars, cuts=2) == ()
    batch, streaming = (Runner.backtest(Own(), bars, streaming=way).replay for way in (False, True))
    assert batch.fills
    assert batch.fills == streaming.fills


def test_what_it_begins_with_is_part_of_its_identity() -> None:
    def step(state: State, view: CacheView) -> tuple[State, float]:
        return state, state[0]

    ids = {Node(PRICE, step, state=state).node_id for state in ((0.0,), (1.0,), (0.0, 0.0))}
    assert len(ids) == 3
    assert Node(PRICE, step, state=(1,)).node_id in ids


@pytest.mark.parametrize("state", [(), (float("nan"),), ("1",), (True,), "12", 3.0, tuple(range(65))])
def test_a_state_that_is_no_list_of_numbers_is_refused(state: Sequence[float]) -> None:
    with pytest.raises(InvalidRequest, match=r"E_FIELD: state is .*, want 1 to 64 finite numbers"):
        Node(PRICE, lambda state, view: (state, 1.0), state=state)


@pytest.mark.parametrize(
    "step",
    [
        lambda state, view: 1.0,
        lambda state, view: ((1.0,), 1.0),
        lambda state, view: ((1.0, float("inf")), 1.0),
        lambda state, view: (2.0, 1.0),
        lambda state, view: ("12", 1.0),
        lambda state, view: (("1", "2"), 1.0),
        lambda state, view: ((None, 1.0), 1.0),
        lambda state, view: ((10**400, 1.0), 1.0),
        lambda state, view: (None, 1.0),
        lambda state, view: ((1.0, 2.0), float("nan")),
    ],
)
def test_a_step_that_returns_something_else_is_named(step: Callable[..., tuple[State, float]]) -> None:
    with pytest.raises(InvalidRequest, match="node own returned"):
        batch_outputs(build_dag([Node(PRICE, step, state=(0.0, 0.0), name="own")]), walk(3))


@pytest.mark.parametrize("saved", [b"[[],[]]", b"[[[],[]],[1.0]]", b"[[[],[]],1.0]", b'[[[],[]],["a",0.0]]'])
def test_a_saved_state_that_does_not_fit_is_refused(saved: bytes) -> None:
    engine = StreamEngine(build_dag([drawdown(PRICE)]))
    whole = b"[[[],[]],[0.0,0.0]]"
    assert whole in engine.save()
    with pytest.raises(InvalidRequest, match="E_NODE_STATE"):
        engine.load(engine.save().replace(whole, saved))
