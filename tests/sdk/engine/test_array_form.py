"""Custom nodes with an array form: equal to their compute function in every execution, or switched off and said."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.arrays.types import Floats
from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, BatchView, CacheView, Node, Schema, StreamInput, node, resample
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs, chunked_outputs, stream_outputs
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.graph.vertices import ComputeBatch
from tests.sdk.engine.test_streaming import same_outputs
from tests.sdk.market import gapped, prices, walk

PRICE = StreamInput("BTC-USD")


def _changes(view: BatchView) -> Floats:
    window = view[0].window(3)
    made: Floats = window[:, -1] / window[:, 0] - 1.0
    return np.where(made == 0.0, np.nan, made)


@node(period=3, compute_batch=_changes)
def change(view: CacheView) -> float | None:
    """Change over two bars; none where there is no change."""
    window = view[0].window(3)
    return float(window[-1] / window[0] - 1.0) or None


def _spans(view: BatchView) -> Floats:
    return np.column_stack([view["price"].field("high") - view["slow"].latest, view["slow"].window(2)[:, 0]])


@node(period=2, schema=Schema("spans-v1", ("above", "before"), "above"), compute_batch=_spans)
def spans(view: CacheView) -> tuple[float, float]:
    """High above a slower stream, and that stream's value before."""
    return view["price"].field("high") - view["slow"].latest, float(view["slow"].window(2)[0])


def graph() -> Dag:
    hours = resample(PRICE, "1h", partial="keep")
    return build_dag([ta.sma(change(PRICE), 2), spans(price=PRICE, slow=hours), change(change(PRICE))])


def test_values_are_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    made = change(PRICE)
    outputs = batch_outputs(build_dag([made]), prices(10.0, 20.0, 15.0, 20.0, 30.0))
    assert outputs[made].rows[:, 0].tolist() == [0.5, 1.0]
    assert not caplog.records


@given(bars=gapped(), rows=st.integers(1, 90))
@settings(deadline=None, max_examples=10)
def test_batch_chunks_and_streaming_are_equal(bars: Bars, rows: int) -> None:
    dag = graph()
    batch = batch_outputs(dag, bars)
    assert same_outputs(dag, stream_outputs(dag, bars), batch)
    assert same_outputs(dag, chunked_outputs(dag, bars, rows), batch)
    assert all(one.array_form is None or one.array_form.used for one in dag.nodes if isinstance(one, Node))


def test_over_a_long_history_a_sample_is_compared() -> None:
    def closes(view: BatchView) -> Floats:
        made: Floats = np.array(view[0].latest)
        made[1] = -1.0
        return made

    made, bars = Node(PRICE, lambda view: view[0].latest, compute_batch=closes), walk(2_000, 3)
    values = batch_outputs(build_dag([made]), bars)[made].rows[:, 0].tolist()
    assert values == [bars.values[0, 3], -1.0, *bars.values[2:, 3]]  # what the array form made, between two compared
    assert batch_outputs(build_dag([made]), bars.between(None, int(bars.open_ns[256])))[made].rows[1, 0] > 0.0


def test_of_one_that_is_switched_off_in_a_later_chunk_nothing_is_kept() -> None:
    def closes(view: BatchView) -> Floats:
        made: Floats = np.array(view[0].latest)
        made[1] = -1.0  # between two compared
        return made if len(view) == 1_200 else made + 1.0

    made, bars = Node(PRICE, lambda view: view[0].latest, compute_batch=closes), walk(2_000, 3)
    assert chunked_outputs(build_dag([made]), bars, 1_200)[made].rows[:, 0].tolist() == bars.values[:, 3].tolist()


def _centred(view: BatchView) -> Floats:
    closes = view[0].latest
    made: Floats = closes - closes.mean()
    return made


def _silent(view: BatchView) -> Floats:
    return np.where(np.arange(len(view)) == len(view) - 1, np.nan, view[0].latest - view[0].latest)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (_centred, r"at 2\S+Z \(\[-?\d+\.\d+\], want \[0\.0\]\)"),
        (_silent, r"at 2\S+Z \(None, want \[0\.0\]\)"),
        (lambda view: view[0].latest * -0.0, r"at 2\S+Z \(\[-0\.0\], want \[0\.0\]\)"),
    ],
)
def test_one_that_differs_is_switched_off_with_a_warning(
    form: ComputeBatch, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = Node(PRICE, lambda view: 0.0, compute_batch=form, name="own")
    with caplog.at_level(logging.WARNING, "qmtl.sdk.engine"):
        outputs = chunked_outputs(build_dag([made]), walk(900, 1), 300)
    assert not outputs[made].rows.any()
    assert len(outputs[made]) == 900
    (record,) = caplog.records  # said once, though there are three parts
    assert re.search(f"node own: compute_batch differs from compute {said}", record.getMessage())
    assert made.array_form is not None
    assert not made.array_form.used


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda view: view[0].latest[1:], r"compute_batch of node own returned shape \(39, 1\), want \(40, 1\)"),
        (lambda view: view[0].latest / 0.0, "want finite numbers, or NaN in every field"),
        (lambda view: view[0].window(2)[:, 0], "E_WINDOW: n is 2, want 1 to 1"),
        (lambda view: view["other"].latest, "E_VIEW_KEY"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_one_that_returns_something_else_is_named(form: Callable[[BatchView], Floats], said: str) -> None:
    made = Node(PRICE, lambda view: 0.0, compute_batch=form, name="own")
    with pytest.raises(InvalidRequest, match=said):
        batch_outputs(build_dag([made]), walk(40))


def test_one_that_fails_says_in_which_node() -> None:
    made = Node(PRICE, lambda view: 0.0, compute_batch=lambda view: np.zeros(1 // (len(view) - 40)), name="own")
    with pytest.raises(ZeroDivisionError) as caught:
        batch_outputs(build_dag([made]), walk(40))
    assert caught.value.__notes__ == ["in compute_batch of node own"]


def test_windows_cannot_be_written() -> None:
    def writing(view: BatchView) -> Floats:
        view[0].window(1)[0] = 1.0
        return view[0].latest

    made = Node(PRICE, lambda view: view[0].latest, compute_batch=writing)
    with pytest.raises(ValueError, match="read-only"):
        batch_outputs(build_dag([made]), walk(40))


def test_it_is_part_of_the_identity_and_has_no_state() -> None:
    plain, arrayed = Node(PRICE, lambda view: 0.0), Node(PRICE, lambda view: 0.0, compute_batch=_centred)
    assert plain.node_id != arrayed.node_id
    with pytest.raises(InvalidRequest, match="E_FIELD: compute_batch is given with state, want a node without a state"):
        Node(PRICE, lambda state, view: (state, 0.0), state=(0.0,), compute_batch=_centred)


def test_a_clock_is_refused_in_it_too() -> None:
    import time

    with pytest.raises(InvalidRequest, match="E_WALL_CLOCK"):
        Node(PRICE, lambda view: 0.0, compute_batch=lambda view: np.full(len(view), time.time()))
