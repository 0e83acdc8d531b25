"""Labels: by hand, against a direct reading of the future, and never before they are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, CacheView, Strategy, StreamInput, labels, node, resample, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs, stream_outputs
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import START_NS, STEP_NS, gapped, walk

PRICE = StreamInput("BTC-USD")
TENTH = ta.sma(PRICE, 1) * 0.0 + 0.1  # a width of 10 %


def bars(*rows: tuple[float, float, float]) -> Bars:
    """Bars of (high, low, close), opened at their close."""
    values = np.array([[close, high, low, close, 1.0] for high, low, close in rows])
    return Bars("BTC-USD", 900, START_NS + STEP_NS * np.arange(len(rows), dtype=np.int64), values)


def rows_of(label: FoldNode, given: Bars) -> list[list[float]]:
    rows: list[list[float]] = np.round(batch_outputs(build_dag([label]), given)[label].rows, 12).tolist()
    return rows


FLAT = (100.0, 100.0, 100.0)


@pytest.mark.parametrize(
    ("after", "want"),
    [
        ([(110.0, 99.0, 105.0), FLAT], [1.0, 0.1, 1.0]),  # on the barrier is reached
        ([(109.9, 99.0, 105.0), (101.0, 90.0, 95.0)], [-1.0, -0.1, 2.0]),
        ([(109.9, 90.1, 105.0), (109.9, 90.1, 95.0)], [0.0, -0.05, 2.0]),
        ([(111.0, 89.0, 100.0), FLAT], [-1.0, -0.1, 1.0]),  # both in one bar: the loss
        ([(100.0, 89.0, 95.0), (120.0, 95.0, 120.0)], [-1.0, -0.1, 1.0]),
    ],
)
def test_the_first_barrier_counts(after: list[tuple[float, float, float]], want: list[float]) -> None:
    made = rows_of(labels.triple_barrier(PRICE, TENTH, 2), bars((130.0, 70.0, 100.0), *after))
    assert made == [want]  # the high and low of the bar itself came before its close


def test_a_barrier_of_nothing_is_none() -> None:
    falls = bars(FLAT, (100.0, 50.0, 60.0), (130.0, 60.0, 120.0))
    assert rows_of(labels.triple_barrier(PRICE, TENTH, 2, loss=0.0), falls) == [[1.0, 0.1, 2.0]]
    assert rows_of(labels.triple_barrier(PRICE, TENTH, 2, profit=0.0, loss=0.0), falls) == [[0.0, 0.2, 2.0]]
    assert rows_of(labels.triple_barrier(PRICE, TENTH * 0.0, 2), falls) == [[0.0, 0.2, 2.0]]


def test_widths_are_of_the_bar_that_is_labelled() -> None:
    width = ta.sma(PRICE, 1) * 0.001  # 10 % at 100, 20 % at 200
    moved = bars(FLAT, (200.0, 112.0, 200.0), (235.0, 190.0, 210.0))
    assert rows_of(labels.triple_barrier(PRICE, width, 1, profit=2.0), moved) == [[1.0, 0.2, 1.0], [0.0, 0.05, 1.0]]


@pytest.mark.parametrize(
    ("closes", "band", "want"),
    [
        ((100.0, 90.0, 105.0), 0.0, [1.0, 0.05, 2.0]),
        ((100.0, 190.0, 95.0), 0.0, [-1.0, -0.05, 2.0]),
        ((100.0, 90.0, 150.0), 0.5, [0.0, 0.5, 2.0]),
        ((100.0, 90.0, 50.0), 0.5, [0.0, -0.5, 2.0]),
        ((100.0, 90.0, 49.0), 0.5, [-1.0, -0.51, 2.0]),
        ((100.0, 90.0, 100.0), 0.0, [0.0, 0.0, 2.0]),
    ],
)
def test_a_time_barrier_is_the_sign_of_what_came(closes: tuple[float, ...], band: float, want: list[float]) -> None:
    given = bars(*((close, close, close) for close in closes))
    assert rows_of(labels.time_barrier(PRICE, 2, band=band), given) == [want]


@pytest.mark.parametrize(
    ("side", "after", "want"),
    [
        (1.0, [(112.0, 99.0, 105.0), FLAT], [1.0, 0.1]),
        (-1.0, [(112.0, 99.0, 105.0), FLAT], [0.0, -0.1]),
        (-1.0, [(101.0, 90.0, 95.0), FLAT], [1.0, 0.1]),
        (-1.0, [(110.0, 90.0, 95.0), FLAT], [0.0, -0.1]),
        (1.0, [(110.0, 90.0, 95.0), FLAT], [0.0, -0.1]),
        (1.0, [(101.0, 99.0, 100.0), (101.0, 99.0, 101.0)], [1.0, 0.01]),
        (-1.0, [(101.0, 99.0, 100.0), (101.0, 99.0, 101.0)], [0.0, -0.01]),
        (-1.0, [(101.0, 99.0, 100.0), (101.0, 99.0, 99.0)], [1.0, 0.01]),
        (0.0, [(112.0, 99.0, 105.0), FLAT], [0.0, 0.0]),
        (1.0, [FLAT, FLAT], [0.0, 0.0]),
    ],
)
def test_a_meta_label_is_whether_the_bet_gained(
    side: float, after: list[tuple[float, float, float]], want: list[float]
) -> None:
    bet = ta.sma(PRICE, 1) * 0.0 + side
    assert rows_of(labels.meta_label(PRICE, TENTH, bet, 2), bars(FLAT, *after)) == [want]


def test_a_meta_label_takes_the_side_of_its_bar() -> None:
    side = ta.sma(PRICE, 1) - 150.0  # short below 150, long above
    moved = bars(FLAT, (200.0, 95.0, 200.0), (210.0, 195.0, 205.0))
    assert rows_of(labels.meta_label(PRICE, TENTH, side, 1), moved) == [[0.0, -0.1], [1.0, 0.025]]


def by_hand(given: Bars, n: int, widths: np.ndarray, profit: float, loss: float) -> list[tuple[float, float, float]]:
    """Triple barriers by walking into the future of each bar."""
    _, high, low, close, _ = given.values.T
    found = []
    for at in range(len(given) - n):
        label, gained, took = 0.0, close[at + n] / close[at] - 1.0, float(n)
        for ahead in range(1, n + 1):
            if loss and close[at] - low[at + ahead] >= loss * widths[at] * close[at]:
                label, gained, took = -1.0, -loss * widths[at], float(ahead)
                break
            if profit and high[at + ahead] - close[at] >= profit * widths[at] * close[at]:
                label, gained, took = 1.0, profit * widths[at], float(ahead)
                break
        found.append((label, gained, took))
    return found


@given(data=gapped(), n=st.integers(1, 12), profit=st.sampled_from([0.0, 0.5, 2.0]), loss=st.sampled_from([0.0, 0.7]))
def test_equal_to_a_walk_into_the_future(data: Bars, n: int, profit: float, loss: float) -> None:
    width = ta.sma(PRICE, 1) * 0.0 + 0.004
    label = labels.triple_barrier(PRICE, width, n, profit=profit, loss=loss)
    made = batch_outputs(build_dag([label]), data)[label]
    want = by_hand(data, n, np.full(len(data), 0.004), profit, loss)
    assert made.rows.tolist() == [list(row) for row in want]
    np.testing.assert_array_equal(made.time_ns, data.close_ns[n:])


@given(data=gapped(), n=st.integers(1, 9))
def test_batch_equals_streaming(data: Bars, n: int) -> None:
    width, side = ta.rolling_vol(PRICE, 3), ta.returns(PRICE, 2)
    every = [
        labels.triple_barrier(PRICE, width, n, profit=2.0),
        labels.time_barrier(PRICE, n, band=0.001),
        labels.meta_label(PRICE, width, side, n),
    ]
    dag = build_dag(every)
    batch, streamed = batch_outputs(dag, data), stream_outputs(dag, data)
    for label in every:
        np.testing.assert_array_equal(batch[label].time_ns, streamed[label].time_ns)
        np.testing.assert_array_equal(batch[label].rows, streamed[label].rows)


def test_a_label_reaches_no_decision() -> None:
    class Leaks(Strategy):
        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            label = labels.time_barrier(price, 4)
            self.trade(signals.position_target(signals.threshold(label, above=0.0, below=0.0), long=1.0), price)

    with pytest.raises(InvalidRequest) as refusal:
        assemble(Leaks())
    assert refusal.value.reason in {"E_DELAYED_STREAM_LEAK", "E_KIND_CONNECTION"}


def test_training_data_pairs_a_bar_with_what_came_of_it() -> None:
    data = walk(80, seed=5)
    label = labels.time_barrier(PRICE, 6)
    mean, change = ta.sma(PRICE, 10), ta.returns(PRICE, 1)
    found = labels.align(label, [mean, change], data)
    close = data.values[:, 3]
    assert len(found) == 80 - 6 - 9
    np.testing.assert_array_equal(found.time_ns, data.close_ns[9:-6])
    np.testing.assert_array_equal(found.known_ns, data.close_ns[15:])
    np.testing.assert_array_equal(found.labels, np.sign(close[15:] - close[9:-6]))
    np.testing.assert_allclose(found.features[:, 1], close[9:-6] / close[8:-7] - 1.0, rtol=1e-12)
    at = int(data.close_ns[40])
    assert found.before(at).known_ns.max() == at
    assert found.after(at).time_ns.min() > at
    assert len(found.before(at)) + len(found.after(at)) == len(found) - 6


def test_what_is_no_label_and_a_label_as_feature_are_refused() -> None:
    label, mean = labels.time_barrier(PRICE, 6), ta.sma(PRICE, 10)
    for first, second in ((mean, mean), (label, label)):
        with pytest.raises(InvalidRequest) as refusal:
            labels.align(first, [second], walk(80))
        assert refusal.value.reason == "E_FIELD"


@node()
def at_even_hours(view: CacheView) -> float | None:
    """A width that is known at every fourth bar only."""
    return 0.01 if view[0].time_ns % (4 * STEP_NS) == 0 else None


@pytest.mark.parametrize("sparse", [False, True], ids=["of coarser bars", "at some bars only"])
def test_training_data_is_of_the_bar_that_is_labelled_however_far_apart_a_labels_bars_are(sparse: bool) -> None:
    """Taken so many bars before the label was known, features would know part of what they are to tell."""
    data = walk(120, seed=3)
    hours = resample(PRICE, "1h")
    label = labels.triple_barrier(PRICE, at_even_hours(PRICE), 3) if sparse else labels.time_barrier(hours, 3)
    found = labels.align(label, [ta.sma(PRICE, 1)], data)
    assert len(found) > 20
    np.testing.assert_array_equal(found.known_ns - found.time_ns, 12 * STEP_NS)
    at = np.searchsorted(data.close_ns, found.time_ns)
    np.testing.assert_array_equal(found.features[:, 0], data.values[at, 3])
