"""The look-ahead detector: names every cheat, and nothing that only looks back."""

import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk import Bars, CacheView, StreamInput, labels, node, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.graph.dag import Dag, build_dag
from qmtl.sdk.graph.vertices import Node, Vertex
from qmtl.sdk.research.look_ahead import Probe, find_look_ahead
from tests.sdk.market import walk

BARS = walk(160, seed=4)
CLOSES = BARS.values[:, 3]


def graph(*roots: Vertex) -> Dag:
    return build_dag(roots)


def price() -> StreamInput:
    return StreamInput(BARS.symbol, "15m")


def test_what_only_looks_back_is_clean() -> None:
    source = price()
    fast, slow = ta.ema(source, 5), ta.sma(source, 20)

    @node(period=4)
    def swing(view: CacheView) -> float:
        return float(view[0].window(4).max() - view[0].window(4).min())

    target = signals.position_target(signals.cross(fast, slow), long=1.0)
    assert find_look_ahead(graph(target, swing(fast), ta.rsi(source, 14)), BARS) == ()


class Repainter:
    """Gives its earlier answers another value once it has seen more: state outside of the graph."""

    def __init__(self) -> None:
        self.seen_max = 0.0

    def __call__(self, view: CacheView) -> float:
        self.seen_max = max(self.seen_max, view[0].latest)
        return view[0].latest / self.seen_max


def test_a_node_that_carries_the_future_in_its_own_memory_is_named() -> None:
    repainter = Node(price(), Repainter(), name="repainter", code_version="1")
    below = ta.sma(repainter, 3, name="below")
    leaks = find_look_ahead(graph(below), BARS)
    assert [(leak.node, leak.probe, leak.inherited) for leak in leaks] == [
        ("repainter", Probe.REPEATED, False),
        ("below", Probe.REPEATED, True),
    ]


def test_a_node_that_does_not_repeat_itself_is_named() -> None:
    count = itertools.count()
    odd = Node(price(), lambda view: float(next(count)), name="odd", code_version="1")
    (leak,) = find_look_ahead(graph(odd), BARS)
    assert (leak.node, leak.probe, leak.time_ns) == ("odd", Probe.REPEATED, BARS.close_ns[0])


class Peeking:
    """Reads the buffer under its window, where later rows lie in a batch run."""

    def __call__(self, view: CacheView) -> float:
        window = view[0].window(1)
        base = window
        while isinstance(base.base, np.ndarray):
            base = base.base
        row = int(np.flatnonzero(base[:, 3] == window[-1])[0]) if base.ndim == 2 else 0
        return float(base[min(row + 1, len(base) - 1), 3])


@pytest.mark.parametrize("cuts", [1, 5])
def test_a_node_that_reads_the_next_bar_is_named_with_the_first_value_that_knew_it(cuts: int) -> None:
    source = price()
    peeking = Node(source, Peeking(), name="peeking", code_version="1")
    leaks = find_look_ahead(graph(peeking, ta.sma(source, 3)), BARS, cuts=cuts)
    assert [leak.node for leak in leaks] == ["peeking"]
    assert leaks[0].probe is Probe.TRUNCATED
    assert leaks[0].time_ns == leaks[0].cut_ns
    assert leaks[0].cut_ns < BARS.close_ns[-1]


def test_a_value_that_exists_only_because_of_the_future_is_named() -> None:
    last_ns, count = int(BARS.close_ns[-1]), len(BARS)

    class Ending:
        """Speaks only in a series that goes on: knows its length from the buffer."""

        def __call__(self, view: CacheView) -> float | None:
            window = view[0].window(1)
            base = window
            while isinstance(base.base, np.ndarray):
                base = base.base
            return 1.0 if len(base) == count and view[0].time_ns < last_ns else None

    (leak,) = find_look_ahead(graph(Node(price(), Ending(), name="ending", code_version="1")), BARS)
    assert (leak.node, leak.probe, leak.time_ns) == ("ending", Probe.TRUNCATED, BARS.close_ns[0])


def test_refuses_what_cannot_be_cut() -> None:
    with pytest.raises(InvalidRequest, match="E_CUTS"):
        find_look_ahead(graph(ta.sma(price(), 3)), BARS, cuts=0)
    with pytest.raises(InvalidRequest, match=r"E_LOOK_AHEAD_DATA.*at least 4"):
        find_look_ahead(graph(ta.sma(price(), 3)), walk(3, seed=1))


def test_bars_of_another_symbol_are_not_the_graph_s() -> None:
    with pytest.raises(NotFound, match="E_DATA_MISSING"):
        find_look_ahead(graph(ta.ema(StreamInput("ETH-USD", "15m"), 5)), BARS)


# ---- planted leaks: each is found, by the scan of its code, by its kind, or by another future

FUTURE = np.append(CLOSES[1:], CLOSES[-1])
TABLE = Path("closes.csv")


class Holder:
    """Keeps what it knows in itself."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    def __call__(self, view: CacheView) -> float:
        return float(self.table[0])


def shifted(view: CacheView) -> float:
    """The next close, from a module's array."""
    return float(FUTURE[view[0].time_ns // 900_000_000_000 % 160])


def by_default(view: CacheView, table: np.ndarray = FUTURE) -> float:
    return float(table[0])


def from_a_file(view: CacheView) -> float:
    return float(TABLE.read_text().splitlines()[0])


def from_a_frame(view: CacheView) -> float:
    return float(pl.read_csv(TABLE)[0, 0])


def from_the_sdk(view: CacheView) -> float:
    return float(Bars.from_csv("closes.csv", "X").values[0, 3])


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize(
    ("compute", "reasons"),
    [
        (shifted, {"E_DATA_IN_CODE"}),
        (by_default, {"E_DATA_IN_CODE"}),
        (functools.partial(by_default, table=FUTURE), {"E_DATA_IN_CODE"}),
        (Holder(FUTURE), {"E_DATA_IN_CODE", "E_CODE_NOT_CAPTURABLE"}),
        (Holder(FUTURE).__call__, {"E_DATA_IN_CODE", "E_CODE_NOT_CAPTURABLE"}),
        (from_a_file, {"E_NOT_DETERMINISTIC"}),
        (from_a_frame, {"E_NOT_DETERMINISTIC"}),
        (from_the_sdk, {"E_NOT_DETERMINISTIC"}),
    ],
)
def test_a_future_in_code_or_in_a_file_is_refused_when_the_node_is_built(
    compute: Callable[[CacheView], float], reasons: set[str], version: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Node(price(), compute, code_version=version)
    assert refused.value.reason in reasons
    if version:
        assert refused.value.reason != "E_CODE_NOT_CAPTURABLE"


class Centred:
    """The mean of the bars before and after, from the array under its window."""

    def __call__(self, view: CacheView) -> float:
        base = view[0].window(1)
        while isinstance(base.base, np.ndarray):
            base = base.base
        row = int(np.flatnonzero(base[:, 3] == view[0].latest)[0]) if base.ndim == 2 else 0
        return float(base[max(row - 2, 0) : row + 3, 3].mean())


def test_a_centred_window_is_named() -> None:
    leaks = find_look_ahead(graph(Node(price(), Centred(), name="centred", code_version="1")), BARS)
    assert [leak.node for leak in leaks] == ["centred"]


def test_a_fit_on_the_whole_sample_is_named_and_one_on_its_beginning_is_not() -> None:
    def fitted(until: int | None) -> Callable[[tuple[Bars, ...]], Dag]:
        def build(bars: tuple[Bars, ...]) -> Dag:
            level = float(bars[0].values[:until, 3].mean())
            return graph((price() - level) / ta.sma(price(), 5))

        return build

    leaks = find_look_ahead(fitted(None), BARS)
    assert [leak.inherited for leak in leaks] == [False, True]
    assert {leak.probe for leak in leaks} == {Probe.TRUNCATED}
    assert find_look_ahead(fitted(40), BARS) == ()


def test_a_label_reaches_no_order_by_any_way_and_the_path_is_named() -> None:
    source = price()
    label = labels.time_barrier(source, 5, name="label")
    with pytest.raises(InvalidRequest, match="by label -> side") as refused:
        graph(
            signals.position_target(signals.threshold(label, above=0.0, below=0.0, name="side"), long=1.0, name="held")
        )
    assert refused.value.reason == "E_DELAYED_STREAM_LEAK"
    washed = Node(label, lambda view: view[0].latest, name="washed")
    with pytest.raises(InvalidRequest) as refused:
        graph(signals.position_target(signals.threshold(washed, above=0.0, below=0.0), long=1.0))
    assert refused.value.reason == "E_DELAYED_STREAM_LEAK"
    with pytest.raises(InvalidRequest, match="E_KIND_CONNECTION"):
        graph(washed)
    assert graph(Node(label, lambda view: view[0].latest, kind=SemanticKind.DELAYED_STREAM))
