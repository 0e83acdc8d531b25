"""Arithmetic on streams: each operator against the same operator on numbers, over rows that try every corner."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, Runner, Strategy, StreamInput, maximum, minimum, signals, where
from qmtl.sdk import indicators as ta
from qmtl.sdk.engine.folds import FoldState
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from tests.sdk.market import walk

CORNERS = (-2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, 1e300, -1e300, 5e-324)
A, B = StreamInput("BTC-USD"), StreamInput("ETH-USD")
WRONG: Any = "1"
Operation = Callable[[Any, Any], Any]
OF_TWO: dict[str, Operation] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "greater": lambda a, b: a > b,
    "at_least": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "at_most": lambda a, b: a <= b,
}
OF_ONE: dict[str, Callable[[Any], Any]] = {"negative": lambda a: -a, "absolute": abs}


def expressions(a: Vertex, b: Vertex) -> list[Vertex]:
    """A node of every operation."""
    of_two = [operation(x, y) for operation in OF_TWO.values() for x, y in ((a, b), (a, 2.5))]
    others = [2.5 - a, 2.5 / a, -a, abs(a), minimum(a, b), maximum(a, b), where(a, b, a), 2.5 + a, 2.5 * a]
    return [*of_two, *others]


def value_of(vertex: Vertex, *row: float) -> float | None:
    """What a node makes of one row of its inputs, in the order it has them."""
    assert isinstance(vertex, FoldNode)
    found = FoldState(vertex.fold).advance([row[index] for index, _ in vertex.columns])
    return None if found is None else found[0]


def expected(operation: Operation, a: float, b: float) -> float | None:
    try:
        value = float(operation(a, b))
    except ZeroDivisionError:
        return None
    return value if math.isfinite(value) else None


@pytest.mark.parametrize("name", OF_TWO)
def test_two_streams(name: str) -> None:
    operation = OF_TWO[name]
    vertex = operation(A, B)
    backwards = vertex.inputs[0] is B
    for a, b in itertools.product(CORNERS, CORNERS):
        assert value_of(vertex, *((b, a) if backwards else (a, b))) == expected(operation, a, b), (a, b)


@pytest.mark.parametrize("name", OF_TWO)
@pytest.mark.parametrize("number", [2.5, -1, 1e-300, 5e-324])
def test_a_stream_and_a_number_in_either_order(name: str, number: float) -> None:
    operation = OF_TWO[name]
    for a in CORNERS:
        # a comparison with a number from above is that of the negatives
        assert _run(operation(A, number), a) == expected(operation, a, number), (a, number)
        assert _run(operation(number, A), a) == expected(operation, number, a), (number, a)


def _run(vertex: Vertex, a: float) -> float | None:
    """Through the nodes between, which have one input each."""
    below = vertex.inputs[0]
    if below is A:
        return value_of(vertex, a)
    inner = _run(below, a)
    return None if inner is None else value_of(vertex, inner)


@pytest.mark.parametrize("name", OF_ONE)
def test_one_stream(name: str) -> None:
    for a in CORNERS:
        assert value_of(OF_ONE[name](A), a) == OF_ONE[name](a)


def test_the_lesser_the_greater_and_the_chosen() -> None:
    for a, b in itertools.product(CORNERS, CORNERS):
        assert value_of(minimum(A, B), a, b) == min(a, b)
        assert value_of(maximum(A, B), a, b) == max(a, b)
        assert value_of(where(A, B, A), a, b) == (b if a != 0.0 else a)


def test_equal_expressions_are_one_node_and_others_are_not() -> None:
    ids = [vertex.node_id for vertex in expressions(A, B)]
    assert ids == [vertex.node_id for vertex in expressions(A, B)]
    assert (A + 1).node_id == (A + 1.0).node_id == (1 + A).node_id == (A - -1).node_id
    assert (A - B).node_id != (B - A).node_id
    assert (A > B).node_id == (B < A).node_id
    assert A != B
    assert {A: 1}[A] == 1


@pytest.mark.parametrize(
    ("mistake", "error", "said"),
    [
        (lambda: min(A, B), TypeError, "has values only when it runs: use where, minimum, maximum"),
        (lambda: 1 if A > 2 else 0, TypeError, "has values only when it runs"),
        (lambda: A / 0, ZeroDivisionError, "BTC-USD / 0"),
        (lambda: A + WRONG, TypeError, "takes streams and numbers, not str"),
        (lambda: A * 1e300, InvalidRequest, "E_NODE_ID_FIELDS"),
        (lambda: A * math.nan, InvalidRequest, "E_NODE_PARAMETER"),
        (lambda: signals.when(), InvalidRequest, "want a condition for at least one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(mistake: Callable[[], object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        mistake()


class Stretched(Strategy):
    """Long while the price is 1 % above its average, short while 1 % below."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD", "15m", 40)
        stretch = price / ta.sma(price, 20) - 1
        direction = signals.when(long=stretch > 0.01, short=stretch < -0.01)
        self.trade(signals.position_target(direction, long=0.5, short=0.0), price)


class Long(Strategy):
    """The long side of it by a threshold."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD", "15m", 40)
        direction = signals.threshold(price / ta.sma(price, 20) - 1, above=0.01, below=-0.01)
        self.trade(signals.position_target(direction, long=0.5, short=0.0), price)


def test_conditions_trade_as_the_threshold_they_say() -> None:
    bars: Bars = walk(600, seed=5)
    by_conditions, by_threshold = Runner.backtest(Stretched(), bars), Runner.backtest(Long(), bars)
    assert by_conditions.replay.fills == by_threshold.replay.fills
    assert len(by_conditions.replay.fills) > 4
    assert by_conditions.replay.equity == Runner.backtest(Stretched(), bars, every_bar=True).replay.equity
    (one,) = (signals.when(short=A > 2.0),)
    assert [value_of(one, x) for x in (-1.0, 0.0)] == [-1.0, 0.0]
