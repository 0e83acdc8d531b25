"""Microstructure: what the sizes and prices of an order book, and the trades in it, say of the next price.

Inputs are streams of best prices and of sizes at levels, the best first: columns of a custom node or of a queue, such
as `book.field("bid")`. Each instant needs a value of every one.
"""

from __future__ import annotations

from collections.abc import Sequence

from qmtl.core.errors import refused
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, InputPort, Parameter, ParameterType, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import indicator
from qmtl.sdk.indicators.volatility import zscore
from qmtl.sdk.indicators.windows import RING_HEAD, ema_push, ratio_push, ring_push, ring_sum

HALVINGS = 10
"""exp(x) is that of x / 1024 to the tenth degree, squared ten times: right to 1e-12 for |x| up to 60."""

_TOP = tuple(map(InputPort, ("bid", "ask", "bid_size", "ask_size")))
_PERIOD = bars_parameter("period", 1)


def exponential(x: float) -> float:
    """exp(x) of + - * / alone, so that it is the same in every form a fold runs in."""
    part = x / 1024.0
    term, total = 1.0, 1.0
    for k in range(1, 11):
        term *= part / k
        total += term
    for _ in range(HALVINGS):
        total *= total
    return total


def book_imbalance_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: EMA. x: size of all bids, of all asks."""
    total = x[0] + x[1]
    if x[0] < 0.0 or x[1] < 0.0 or not total > 0.0:
        return False
    if not ema_push(state, 0, int(params[0]), (x[0] - x[1]) / total):
        return False
    out[0] = state[1]
    if params[1] > 0.0:
        out[0] = 1.0 / (1.0 + exponential(-params[1] * state[1]))
    return True


BOOK_IMBALANCE = indicator(
    "book_imbalance",
    "Bids less asks, as a share of both.",
    book_imbalance_step,
    (_PERIOD, Parameter("logistic", ParameterType.NUMBER, "", 0.0, minimum=0.0, maximum=60.0)),
    (InputPort("bids"), InputPort("asks")),
    BarCount(per_parameter={"period": 1}),
    BarCount(2),
)


def book_imbalance(
    bid_sizes: Vertex | Sequence[Vertex],
    ask_sizes: Vertex | Sequence[Vertex],
    *,
    decay: float = 1.0,
    period: int = 1,
    logistic: float = 0.0,
    name: str = "",
) -> FoldNode:
    """Order book imbalance: (B - A) / (B + A), B and A the sums of size x decay^level over the levels, 0 the best.

    `period`: its EMA (1: itself). `logistic` k > 0: 1 / (1 + exp(-k x imbalance)), 0 to 1, to 1e-12 of it. No value
    where a side is negative or both are empty. Source: Cartea, Jaimungal and Penalva 2015, ch. 3; Gould and Bonart 2016
    fit the logistic form. Shape: one number, no unit, -1 to 1. Warm-up: period.
    """
    bids, asks = (_depth(sizes, decay) for sizes in (bid_sizes, ask_sizes))
    params = {"period": period, "logistic": float(logistic)}
    return BOOK_IMBALANCE.node(params, (bids, ""), (asks, ""), name=name, label=f"imbalance_{period}")


def microprice_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """x: bid, ask, bid size, ask size."""
    total = x[2] + x[3]
    if x[2] < 0.0 or x[3] < 0.0 or not total > 0.0:
        return False
    out[0] = (x[0] * x[3] + x[1] * x[2]) / total
    return out[0] - out[0] == 0.0


MICROPRICE = indicator(
    "microprice",
    "Mid price weighted by the size of the other side.",
    microprice_step,
    (),
    _TOP,
    BarCount(1),
    BarCount(),
)


def microprice(bid: Vertex, ask: Vertex, bid_size: Vertex, ask_size: Vertex, *, name: str = "") -> FoldNode:
    """(bid x ask size + ask x bid size) / (bid size + ask size): nearer to the side that is about to give way.

    Source: the weighted mid of Gatheral and Oomen 2010, the first form of Stoikov 2018's micro-price. No value where
    both sizes are 0. Shape: one price, quote currency. Warm-up: 1.
    """
    return MICROPRICE.node({}, (bid, ""), (ask, ""), (bid_size, ""), (ask_size, ""), name=name, label="microprice")


def order_flow_imbalance_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: any before, bid, ask, bid size, ask size, ring. x: bid, ask, bid size, ask size."""
    first, n, flow = state[0] == 0.0, int(params[0]), 0.0
    if x[0] >= state[1]:
        flow += x[2]
    if x[0] <= state[1]:
        flow -= state[3]
    if x[1] <= state[2]:
        flow -= x[3]
    if x[1] >= state[2]:
        flow += state[4]
    state[0] = 1.0
    state[1], state[2], state[3], state[4] = x[0], x[1], x[2], x[3]
    if first or not ring_push(state, 5, n, flow):
        return False
    out[0] = ring_sum(state, 5, n)
    return True


ORDER_FLOW_IMBALANCE = indicator(
    "order_flow_imbalance",
    "What the changes of the best quotes added to demand less supply.",
    order_flow_imbalance_step,
    (bars_parameter("period", 10),),
    _TOP,
    BarCount(1, {"period": 1}),
    BarCount(5 + RING_HEAD, {"period": 1}),
)


def order_flow_imbalance(
    bid: Vertex, ask: Vertex, bid_size: Vertex, ask_size: Vertex, period: int = 10, *, name: str = ""
) -> FoldNode:
    """Sum over the last `period` changes of e = [b >= b'] q - [b <= b'] q' - [a <= a'] r + [a >= a'] r'.

    b and a are the best prices, q and r their sizes, and a prime is the value before.

    Source: Cont, Kukanov and Stoikov 2014, eq. 2. Shape: one number, in the unit of sizes. Warm-up: period + 1.
    """
    sources = ((bid, ""), (ask, ""), (bid_size, ""), (ask_size, ""))
    return ORDER_FLOW_IMBALANCE.node({"period": period}, *sources, name=name, label=f"ofi_{period}")


def execution_imbalance_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: ring of bought less sold, ring of both. x: volume bought, sold by takers."""
    return ratio_push(state, int(params[0]), x[0] - x[1], x[0] + x[1], out)


EXECUTION_IMBALANCE = indicator(
    "execution_imbalance",
    "Volume that takers bought less what they sold, as a share of both.",
    execution_imbalance_step,
    (bars_parameter("period", 10),),
    (InputPort("bought"), InputPort("sold")),
    BarCount(per_parameter={"period": 1}),
    BarCount(2 * RING_HEAD, {"period": 2}),
)


def execution_imbalance(bought: Vertex, sold: Vertex, period: int = 10, *, name: str = "") -> FoldNode:
    """Sum of (bought - sold) over the last n / sum of (bought + sold): who takes, buyers (1) or sellers (-1).

    `bought`, `sold`: volume by the taker's side. No value over a window without volume. Source: Chordia, Roll and
    Subrahmanyam 2002 (order imbalance, by volume). Shape: one number, -1 to 1. Warm-up: period.
    """
    params = {"period": period}
    return EXECUTION_IMBALANCE.node(params, (bought, ""), (sold, ""), name=name, label=f"executions_{period}")


def spread_zscore(bid: Vertex, ask: Vertex, period: int = 20, *, name: str = "") -> FoldNode:
    """How unusual the spread is: z-score over the last n of (ask - bid) / mid (ta.zscore; population deviation).

    Shape: one number, no unit; 0 where they are all equal. Warm-up: period.
    """
    return zscore((ask - bid) / ((ask + bid) * 0.5), period, name=name)


def depth_slope(mid: Vertex, prices: Sequence[Vertex], sizes: Sequence[Vertex]) -> Vertex:
    """How fast depth grows away from the mid on one side: the slope through the origin, by least squares, of cumulated
    size over distance, sum(d x D) / sum(d x d), where d = |price - mid| and D the size up to that level.

    Source: the slope of Naes and Skjeltorp 2006, by absolute distances. Two levels or more, the best first; no value
    where all are at the mid. Shape: one number, size per unit of price. Warm-up: 1. Raises InvalidRequest (E_FIELD).
    """
    if len(prices) != len(sizes) or len(prices) < 2:
        raise refused("E_FIELD", "prices, sizes", f"{len(prices)} and {len(sizes)}", "as many of both, 2 or more")
    distances = [abs(price - mid) for price in prices]
    total = sizes[0]
    products, squares = distances[0] * total, distances[0] * distances[0]
    for distance, size in zip(distances[1:], sizes[1:], strict=True):
        total = total + size
        products, squares = products + distance * total, squares + distance * distance
    return products / squares


def _depth(sizes: Vertex | Sequence[Vertex], decay: float) -> Vertex:
    levels = [sizes] if isinstance(sizes, Vertex) else list(sizes)
    if not levels or not 0.0 < decay <= 1.0:
        given, want = (decay, "above 0 and at most 1") if levels else ("empty", "a level or more")
        raise refused("E_FIELD", "decay" if levels else "sizes", given, want)
    total, weight = levels[0], 1.0
    for level in levels[1:]:
        weight *= decay
        total = total + (level * weight if weight != 1.0 else level)
    return total
