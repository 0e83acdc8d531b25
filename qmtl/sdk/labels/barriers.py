"""Barriers: which of a profit, a loss and a last bar came first after each bar."""

from __future__ import annotations

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Parameter, ParameterType, bars_parameter
from qmtl.sdk.graph.schemas import OHLCV, Schema
from qmtl.sdk.graph.vertices import FoldNode, Vertex

LABEL = Schema("qmtl.label.v1", ("label", "return", "bars"), "label")
"""`label` -1, 0 or 1; `return` from the bar's close to where it ended, a fraction; `bars` until then."""
META_LABEL = Schema("qmtl.meta_label.v1", ("label", "return"), "label")

HIGH, LOW, CLOSE, WIDTH, COLUMNS = 0, 1, 2, 3, 4
HEAD = 2
"""State: [count, next slot, rows of high, low, close and width]."""


def remember(state: Vector, rows: int, x: Vector) -> bool:
    """Keep the last `rows` bars, all columns of each; True once there are so many."""
    slot = int(state[1])
    for column in range(COLUMNS):
        state[HEAD + slot * COLUMNS + column] = x[column]
    state[1] = float((slot + 1) % rows)
    if state[0] < rows:
        state[0] += 1.0
    return state[0] >= rows


def held(state: Vector, rows: int, age: int, column: int) -> float:
    """A column of the bar that came `age` bars after the oldest that is kept."""
    return state[HEAD + ((int(state[1]) + age) % rows) * COLUMNS + column]


def first_touch(state: Vector, rows: int, above: float, below: float, out: Vector) -> None:
    """Label, return and bars of the oldest bar that is kept, with barriers at so many widths; at 0 there is none.

    A bar that reaches both barriers counts as the loss: nobody knows which was first.
    """
    entry, width = held(state, rows, 0, CLOSE), held(state, rows, 0, WIDTH)
    gain, loss = above * width, below * width
    for age in range(1, rows):
        if loss > 0.0 and entry - held(state, rows, age, LOW) >= loss * entry:
            out[0], out[1], out[2] = -1.0, -loss, float(age)
            return
        if gain > 0.0 and held(state, rows, age, HIGH) - entry >= gain * entry:
            out[0], out[1], out[2] = 1.0, gain, float(age)
            return
    out[0], out[1], out[2] = 0.0, held(state, rows, rows - 1, CLOSE) / entry - 1.0, float(rows - 1)


def triple_barrier_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    rows = int(params[0]) + 1
    if not remember(state, rows, x):
        return False
    first_touch(state, rows, params[1], params[2], out)
    return True


def time_barrier_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n, slot = int(params[0]), int(state[1])
    was = state[HEAD + slot]
    state[HEAD + slot] = x[0]
    state[1] = float((slot + 1) % n)
    if state[0] < n:
        state[0] += 1.0
        return False
    change = x[0] / was - 1.0
    out[0] = 0.0
    if change > params[1]:
        out[0] = 1.0
    elif change < -params[1]:
        out[0] = -1.0
    out[1], out[2] = change, float(n)
    return True


def meta_label_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    rows = int(params[0]) + 1
    ready = remember(state, rows, x)
    # the side of each bar is kept behind the bars, in the slot its bar has
    sides, slot = HEAD + rows * COLUMNS, (int(state[1]) + rows - 1) % rows
    state[sides + slot] = x[COLUMNS]
    if not ready:
        return False
    side = state[sides + int(state[1])]
    entry, width = held(state, rows, 0, CLOSE), held(state, rows, 0, WIDTH)
    profit, loss = params[1] * width, params[2] * width
    gained, ended = 0.0, False
    for age in range(1, rows):
        up, down = held(state, rows, age, HIGH) - entry, held(state, rows, age, LOW) - entry
        best, worst = up, down
        if side < 0.0:
            best, worst = -down, -up
        if loss > 0.0 and worst <= -loss * entry:
            gained, ended = -loss, True
        elif profit > 0.0 and best >= profit * entry:
            gained, ended = profit, True
        if ended:
            break
    if not ended:
        gained = held(state, rows, rows - 1, CLOSE) / entry - 1.0
        if side < 0.0:
            gained = -gained
    if side == 0.0:
        gained = 0.0
    out[0] = 1.0 if gained > 0.0 else 0.0
    out[1] = gained
    return True


def _widths(name: str) -> Parameter:
    return Parameter(name, ParameterType.NUMBER, "widths", 1.0, minimum=0.0, maximum=1e6)


_BARS = InputPort("bars", ("high", "low", "close"), (OHLCV,))

TRIPLE_BARRIER = Builtin(
    NodeType(
        node_type="label.triple_barrier",
        code_hash="builtin:triple_barrier@1.0",
        summary="Which of profit, loss and last bar came first; of the bar max_bars before.",
        output=LABEL,
        kind=SemanticKind.DELAYED_STREAM,
        parameters=(bars_parameter("max_bars"), _widths("profit"), _widths("loss")),
        inputs=(_BARS, InputPort("width")),
        period=BarCount(1, {"max_bars": 1}),
        warm_up=BarCount(1, {"max_bars": 1}),
    ),
    triple_barrier_step,
    state_size=BarCount(HEAD + COLUMNS, {"max_bars": COLUMNS}),
)


def triple_barrier(
    bars: Vertex, width: Vertex, max_bars: int, *, profit: float = 1.0, loss: float = 1.0, name: str = ""
) -> FoldNode:
    """Triple barrier: 1 where close x (1 + profit x width) came first, -1 for close x (1 - loss x width), else 0.

    `width` is a fraction of the price at the bar, such as `ta.rolling_vol(price, 20)`. Highs and lows of the `max_bars`
    bars after it count; one that reaches both is a loss; at 0, or with a width of 0, there is no such barrier. `return`
    is that of the barrier, or of the last close. Source: Lopez de Prado 2018, ch. 3. Shape: label, return, bars.
    Delayed by max_bars; warm-up: max_bars + 1.
    """
    params = {"max_bars": max_bars, "profit": float(profit), "loss": float(loss)}
    return TRIPLE_BARRIER.node(params, (bars, ""), (width, ""), name=name, label=f"triple_barrier_{max_bars}")


TIME_BARRIER = Builtin(
    NodeType(
        node_type="label.time_barrier",
        code_hash="builtin:time_barrier@1.0",
        summary="Sign of the return over the next bars; of the bar max_bars before.",
        output=LABEL,
        kind=SemanticKind.DELAYED_STREAM,
        parameters=(
            bars_parameter("max_bars"),
            Parameter("band", ParameterType.NUMBER, "fraction", 0.0, minimum=0.0, maximum=1e6),
        ),
        inputs=(InputPort("source"),),
        period=BarCount(1, {"max_bars": 1}),
        warm_up=BarCount(1, {"max_bars": 1}),
    ),
    time_barrier_step,
    state_size=BarCount(HEAD, {"max_bars": 1}),
)


def time_barrier(source: Vertex, max_bars: int, *, band: float = 0.0, field: str = "", name: str = "") -> FoldNode:
    """Sign of the return of `source` over the next `max_bars` bars; 0 within `band`, a fraction, or on it.

    Source: fixed-horizon labels, Lopez de Prado 2018, ch. 3.2. Shape: label, return, bars. Delayed by max_bars;
    warm-up: max_bars + 1.
    """
    params = {"max_bars": max_bars, "band": float(band)}
    return TIME_BARRIER.node(params, (source, field), name=name, label=f"time_barrier_{max_bars}")


META_LABEL_TYPE = Builtin(
    NodeType(
        node_type="label.meta_label",
        code_hash="builtin:meta_label@1.0",
        summary="Whether a bet on a side would have gained; of the bar max_bars before.",
        output=META_LABEL,
        kind=SemanticKind.DELAYED_STREAM,
        parameters=(bars_parameter("max_bars"), _widths("profit"), _widths("loss")),
        inputs=(_BARS, InputPort("width"), InputPort("side")),
        period=BarCount(1, {"max_bars": 1}),
        warm_up=BarCount(1, {"max_bars": 1}),
    ),
    meta_label_step,
    state_size=BarCount(HEAD + COLUMNS + 1, {"max_bars": COLUMNS + 1}),
)


def meta_label(
    bars: Vertex,
    width: Vertex,
    side: Vertex,
    max_bars: int,
    *,
    profit: float = 1.0,
    loss: float = 1.0,
    name: str = "",
) -> FoldNode:
    """1 where a bet on the sign of `side` at the bar gained by the triple barrier, else 0; 0 also where side is 0.

    Barriers are of the bet: a short one gains as the price falls. `return` is that of the bet. Source: Lopez de Prado
    2018, ch. 3.6. Shape: label, return. Delayed by max_bars; warm-up: max_bars + 1.
    """
    params = {"max_bars": max_bars, "profit": float(profit), "loss": float(loss)}
    return META_LABEL_TYPE.node(params, (bars, ""), (width, ""), (side, ""), name=name, label=f"meta_label_{max_bars}")
