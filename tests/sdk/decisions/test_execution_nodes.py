"""Gate, batch and router between a target and its orders, by hand and in every execution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs, chunked_outputs, stream_outputs
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.graph.vertices import Vertex
from tests.sdk.engine.test_streaming import same_outputs
from tests.sdk.market import gapped, walk

PRICE = StreamInput("BTC-USD")


def target(price: Vertex = PRICE) -> Vertex:
    return signals.position_target(signals.trend(ta.ema(price, 2), ta.ema(price, 5)), long=0.5, short=-0.5)


def graph() -> Dag:
    gate = signals.pre_trade_gate(target(), ta.rsi(PRICE, 3) < 60.0)
    routed = signals.router(ta.rsi(PRICE, 3) < 50.0, gate, target())
    return build_dag([signals.micro_batch(routed, "1h"), signals.pre_trade_gate(target(), PRICE > 0.0, flat=True)])


@pytest.mark.parametrize(
    ("flat", "made"), [(False, [0, 2, 2, 1, 1, 3, 0, 0, -2, -1, 0]), (True, [0, 2, 0, 0, 0, 3, 0, 0, -2, 0, 0])]
)
def test_a_shut_gate_lets_only_reductions_through(flat: bool, made: list[int]) -> None:
    wanted, passes = [1, 2, 4, 1, 2, 3, -1, 5, -2, -1, 1], [0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0]
    fold = signals.pre_trade_gate(target(), PRICE, flat=flat).fold
    assert run_fold(fold, np.array([wanted, passes], dtype=np.float64).T).rows[:, 0].tolist() == made


def test_a_batch_takes_a_target_at_the_first_close_of_each_period() -> None:
    batched = signals.micro_batch(target(), "1h")
    dag = build_dag([batched])
    bars = walk(40, 3)
    outputs = batch_outputs(dag, bars)
    made, wanted = (
        outputs[batched],
        dict(
            zip(
                outputs[batched.inputs[0]].time_ns.tolist(), outputs[batched.inputs[0]].rows[:, 0].tolist(), strict=True
            )
        ),
    )
    hour = 3_600 * 10**9
    assert made.time_ns[0] % hour == 0
    for time_ns, held in zip(made.time_ns.tolist(), made.rows[:, 0].tolist(), strict=True):
        assert held == wanted[time_ns - time_ns % hour]
    assert len(set(made.rows[:, 0].tolist())) == 2
    later = batch_outputs(dag, bars.between(int(bars.open_ns[6]), None))[batched]
    assert later.time_ns[0] > made.time_ns[0]


def test_a_router_chooses() -> None:
    fold = signals.router(PRICE, target(), target()).fold
    xs = np.array([[1.0, 0.0, -2.0], [5.0, 6.0, 7.0], [8.0, 9.0, 10.0]]).T
    assert run_fold(fold, xs).rows[:, 0].tolist() == [5.0, 9.0, 7.0]
    assert run_fold(fold, xs, compiled=False).rows[:, 0].tolist() == [5.0, 9.0, 7.0]


@given(bars=gapped())
@settings(deadline=None, max_examples=8)
def test_batch_chunks_and_streaming_are_equal(bars: Bars) -> None:
    dag = graph()
    batch = batch_outputs(dag, bars)
    assert same_outputs(dag, stream_outputs(dag, bars), batch)
    assert same_outputs(dag, chunked_outputs(dag, bars, 7), batch)


def test_they_trade_and_a_batch_trades_less() -> None:
    class Daily(Strategy):
        def __init__(self, every: str = "") -> None:
            self.every = every

        def setup(self) -> None:
            wanted = signals.position_target(signals.trend(ta.ema(PRICE, 2), ta.ema(PRICE, 5)), long=0.5)
            self.trade(signals.micro_batch(wanted, self.every) if self.every else wanted, PRICE)

    bars = walk(400, 6)
    often, seldom = (Runner.backtest(Daily(every), bars).replay.fills for every in ("", "6h"))
    assert 0 < len(seldom) < len(often)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: signals.pre_trade_gate(PRICE, PRICE), "E_NOT_A_DECISION"),
        (lambda: signals.router(PRICE, target(), ta.sma(PRICE, 2)), "E_NOT_A_DECISION"),
        (lambda: signals.micro_batch(signals.trend(PRICE, ta.sma(PRICE, 2)), "1h"), "E_NOT_A_DECISION"),
        (lambda: signals.micro_batch(target(), "15m"), "E_INTERVAL: every is 15m, want longer than the target's 900 s"),
    ],
)
def test_what_is_no_target_and_no_longer_period_is_refused(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidRequest, match=said):
        make()
