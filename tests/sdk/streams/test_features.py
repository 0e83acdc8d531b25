"""A published feature in a graph: each bar sees the newest value known by its close, in every form of execution."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.core.instants import from_ns
from qmtl.sdk import Bars, Runner, Strategy, StreamInput, Vertex, feature, indicators, labels, signals
from qmtl.sdk.data.outputs import batch_outputs, chunked_outputs, stream_outputs
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.strategy.assembly import assemble
from qmtl.sdk.streams.features import bind_features
from tests.sdk.market import walk

BARS = walk(60, seed=4)
STEP_NS = BARS.interval_s * 10**9


def frame(times: list[int], values: list[float], column: str = "value") -> pl.DataFrame:
    made = pl.DataFrame({"time_ns": times, column: values}, schema={"time_ns": pl.Int64, column: pl.Float64})
    time = pl.from_epoch("time_ns", time_unit="ns").dt.replace_time_zone("UTC").alias("time")
    return made.select(time, pl.exclude("time_ns"))


def graph_of(rows: pl.DataFrame, **options: str) -> tuple[Dag, Vertex]:
    price = StreamInput("BTC-USD")
    read = feature(price, "slow", **options)  # type: ignore[arg-type] # by name
    dag = build_dag([read, indicators.ema(price, 3) - read])
    bind_features(dag, {"slow": rows})
    return dag, read


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.integers(-5, 64 * 10), st.floats(-1e6, 1e6), max_size=30),
    st.sampled_from(["", "15m", "1h"]),
)
def test_every_form_gives_each_bar_the_newest_value_known_by_its_close(known: dict[int, float], max_age: str) -> None:
    """Values at tenths of bars, against a search by hand."""
    first, age_ns = int(BARS.close_ns[0]), {"": 2**62, "15m": STEP_NS, "1h": 4 * STEP_NS}[max_age]
    times = [first + tenth * STEP_NS // 10 for tenth in sorted(known)]
    values = [known[tenth] for tenth in sorted(known)]
    dag, read = graph_of(frame(times, values), max_age=max_age)
    batch = batch_outputs(dag, BARS)
    want = []
    for close in BARS.close_ns.tolist():
        seen = [(at, value) for at, value in zip(times, values, strict=True) if at <= close]
        if seen and close - seen[-1][0] <= age_ns:
            want.append((close, seen[-1][1]))
    assert list(zip(batch[read].time_ns.tolist(), batch[read].rows[:, 0].tolist(), strict=True)) == want
    for other in (stream_outputs(dag, BARS), chunked_outputs(dag, BARS, 7)):
        for vertex in dag.nodes:
            assert other[vertex].time_ns.tolist() == batch[vertex].time_ns.tolist()
            assert other[vertex].rows.tobytes() == batch[vertex].rows.tobytes()


def test_what_becomes_known_a_nanosecond_after_a_close_is_not_seen_at_it() -> None:
    close = int(BARS.close_ns[10])
    at, after = (graph_of(frame([first], [1.0])) for first in (close, close + 1))
    assert batch_outputs(at[0], BARS)[at[1]].time_ns[0] == close
    assert batch_outputs(after[0], BARS)[after[1]].time_ns[0] == close + STEP_NS


class Leaning(Strategy):
    """Long while the price is above the feature."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        slow = feature(price, "slow", params={"window": 20}, column="average")
        self.trade(signals.position_target(signals.trend(indicators.ema(price, 2), slow), long=0.5), price)


def test_a_backtest_on_the_published_values_is_the_one_on_the_node_itself() -> None:
    class Direct(Strategy):
        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            slow = indicators.sma(price, 20)
            self.trade(signals.position_target(signals.trend(indicators.ema(price, 2), slow), long=0.5), price)

    bars = walk(400, seed=9)
    price = StreamInput("BTC-USD")
    average = indicators.sma(price, 20)
    made = batch_outputs(build_dag([average]), bars)[average]
    rows = frame(made.time_ns.tolist(), made.rows[:, 0].tolist(), "average")
    for every_bar in (False, True):
        read = Runner.backtest(Leaning(), bars, features={"slow": rows}, every_bar=every_bar)
        direct = Runner.backtest(Direct(), bars, every_bar=every_bar)
        assert len(read.replay.fills) > 3
        assert read.replay.fills == direct.replay.fills
        assert read.replay.equity == direct.replay.equity


def test_a_feature_that_a_run_was_not_given_is_missed_by_name() -> None:
    with pytest.raises(NotReady, match=r'E_FEATURE_MISSING: the graph reads slow\{"window":20\} of BTC-USD at 900 s'):
        Runner.backtest(Leaning(), BARS)


def test_its_name_is_its_identity_and_its_rows_are_not() -> None:
    price = StreamInput("BTC-USD")
    others = [
        feature(price, "fast"),
        feature(price, "slow", params={"window": 21}),
        feature(price, "slow", instrument="ETH-USD"),
        feature(price, "slow", interval="1h"),
        feature(price, "slow", column="average"),
        feature(price, "slow", max_age="1h"),
        feature(StreamInput("ETH-USD"), "slow", instrument="BTC-USD"),
    ]
    known = feature(price, "slow")
    assert len({vertex.node_id for vertex in (known, *others)}) == 8
    assert feature(StreamInput("BTC-USD"), "slow").node_id == known.node_id


def test_a_label_is_no_clock_of_it() -> None:
    with pytest.raises(InvalidRequest, match="E_FIELD: price is FoldNode, want bars"):
        feature(labels.time_barrier(StreamInput("BTC-USD"), 4), "slow")  # type: ignore[arg-type] # what an author may try


@pytest.mark.parametrize(
    ("rows", "name", "error"),
    [
        (frame([1, 2], [0.0, 1.0]), "fast", "E_FIELD: features is fast, want one of the nodes that read one: slow"),
        (frame([1], [0.0], "other"), "slow", "E_FEATURE_ROWS: .* columns time, other, want 'average'"),
        (frame([1], [0.0], "average").drop("time"), "slow", "E_FEATURE_ROWS: .* want 'time'"),
        (frame([2, 1], [0.0, 1.0], "average"), "slow", "E_FEATURE_ROWS: .* not rising"),
        (frame([1, 1], [0.0, 1.0], "average"), "slow", "E_FEATURE_ROWS: .* not rising"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: pl.DataFrame, name: str, error: str) -> None:
    with pytest.raises(InvalidRequest, match=error):
        bind_features(assemble(Leaning()).dag, {name: rows})


def test_no_rows_are_no_values() -> None:
    dag, read = graph_of(frame([], []))
    assert len(batch_outputs(dag, BARS)[read]) == 0
    assert from_ns(int(BARS.close_ns[0])).tzinfo is not None
    assert isinstance(BARS, Bars)
    assert np.isfinite(BARS.values).all()
