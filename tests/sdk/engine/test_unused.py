"""A node that nothing reads changes no result: in batch, in chunks, event by event, in compiled code."""

from __future__ import annotations

import numpy as np
import pytest

from qmtl.sdk import Bars, CacheView, Strategy, StreamInput, latest, node, resample, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs, stream_outputs
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import walk

OWN, OTHER = StreamInput("BTC-USD"), StreamInput("ETH-USD")


@node(period=5)
def reach(view: CacheView) -> float:
    """Highest less lowest of five values."""
    window = view[0].window(5)
    return float(window.max() - window.min())


class Trades(Strategy):
    """Trades one symbol."""

    name = "trades"

    def setup(self) -> None:
        direction = signals.trend(ta.ema(OWN, 5), ta.ema(OWN, 20))
        self.trade(signals.position_target(direction, long=0.5, short=0.0), OWN)


class Watches(Trades):
    """The same, beside nodes that nothing reads: on its own bars, and on those of another symbol and of an hour."""

    def setup(self) -> None:
        super().setup()
        self.add_nodes(ta.rsi(OWN, 14), reach(ta.sma(OWN, 3)), ta.ema(resample(OWN, "1h", partial="keep"), 40))
        self.add_nodes(latest(OTHER, at=OWN) / OWN, reach(ta.sma(OTHER, 60)))


@pytest.fixture(scope="module")
def data() -> tuple[Bars, Bars]:
    """Two symbols, each with bars that the other lacks."""
    chance = np.random.default_rng(7)
    return (
        walk(1_500, 3, "BTC-USD", chance.uniform(size=1_500) > 0.1),
        walk(1_400, 4, "ETH-USD", chance.uniform(size=1_400) > 0.3),
    )


def test_the_nodes_of_a_strategy_are_the_same_beside_one_that_is_unused(data: tuple[Bars, Bars]) -> None:
    plain, watched = assemble(Trades()).dag, assemble(Watches()).dag
    ids = {vertex.node_id for vertex in plain.nodes}
    assert ids < {vertex.node_id for vertex in watched.nodes}
    for outputs in (batch_outputs, stream_outputs):
        alone, beside = outputs(plain, data[:1]), outputs(watched, data)
        for vertex in plain.nodes:
            assert alone[vertex].time_ns.tobytes() == beside[vertex].time_ns.tobytes()
            assert alone[vertex].rows.tobytes() == beside[vertex].rows.tobytes()


def run(strategy: Strategy, data: tuple[Bars, ...], way: str) -> RunResult:
    assembled = assemble(strategy)
    match way:
        case "every bar":
            return replay(assembled, data, every_bar=True)
        case "chunks":
            return replay(assembled, data, chunk=64)
        case "compiled":
            return replay(assembled, data, compiling=Compiling.ALWAYS)
    return replay(assembled, data, compiling=Compiling.NEVER)


@pytest.mark.parametrize("way", ["batch", "chunks", "every bar", "compiled"])
def test_fills_and_equity_are_the_same_beside_a_node_that_is_unused(way: str, data: tuple[Bars, Bars]) -> None:
    alone, beside = run(Trades(), data[:1], way), run(Watches(), data, way)
    assert len(alone.fills) > 20
    assert alone.fills == beside.fills
    assert alone.equity == beside.equity
    assert alone.metrics == beside.metrics
    assert alone.denials == beside.denials
    assert ("compiled" in beside.path) == (way == "compiled")
