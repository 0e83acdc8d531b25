"""Prices weighted by volume or time, and volume by direction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from qmtl.calendars.spans import floor_to
from qmtl.core.errors import refused
from qmtl.core.instants import NS_PER_S, to_ns
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.names import parse_interval
from qmtl.sdk.graph.node_types import BarCount, Parameter, ParameterType, bars_parameter
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.indicators.declaring import bars_of, indicator
from qmtl.sdk.indicators.windows import RING_HEAD, ratio_push, ring_push, ring_sum

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times


def obv_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: any before, close before, balance."""
    if state[0] == 0.0 or x[0] > state[1]:
        state[2] += x[1]
    elif x[0] < state[1]:
        state[2] -= x[1]
    state[0] = 1.0
    state[1] = x[0]
    out[0] = state[2]
    return True


OBV = indicator(
    "obv",
    "Volume added on rises, taken off on falls.",
    obv_step,
    (),
    bars_of("close", "volume"),
    BarCount(1),
    BarCount(3),
)


def obv(bars: Vertex, *, name: str = "") -> FoldNode:
    """On-balance volume: the volume of bars that closed higher less that of those that closed lower, from the first on.

    Source: Granville 1963, TA-Lib OBV, which begins with the first bar's volume. Input: bars. Shape: one number, in the
    volume's unit; its level depends on where history begins. Warm-up: 1.
    """
    return OBV.node({}, (bars, ""), name=name, label="obv")


@dataclass(frozen=True, slots=True)
class _Opens:
    """When a bar opens, or the stretch of `every_s` that it opens in; s."""

    interval_s: int
    every_s: int = 0

    @property
    def width(self) -> int:
        return 1

    def of(self, times: Times) -> Floats:
        opens = times - self.interval_s * NS_PER_S
        if self.every_s:
            opens = opens - (opens - floor_to(0, self.every_s * NS_PER_S)) % (self.every_s * NS_PER_S)
        return (opens / np.float64(NS_PER_S)).reshape(-1, 1)


def relative_volume_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: ring of the volumes before."""
    n = int(params[0])
    if state[0] >= n:
        mean = ring_sum(state, 0, n) / n
        ring_push(state, 0, n, x[0])
        if not mean > 0.0:
            return False
        out[0] = x[0] / mean
        return True
    ring_push(state, 0, n, x[0])
    return False


RELATIVE_VOLUME = indicator(
    "relative_volume",
    "A bar's volume over the mean of those before it.",
    relative_volume_step,
    (bars_parameter("period", 20),),
    bars_of("volume"),
    BarCount(1, {"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def relative_volume(bars: Vertex, period: int = 20, *, name: str = "") -> FoldNode:
    """Volume of the bar / mean volume of the n bars before it: 1 is usual. No value where those had none.

    Input: bars. Shape: one number, no unit. Warm-up: period + 1.
    """
    return RELATIVE_VOLUME.node({"period": period}, (bars, ""), name=name, label=f"relative_volume_{period}")


def money_flow_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: ring of volume by where it closed, ring of volume. x: high, low, close, volume."""
    reach = x[0] - x[1]
    share = ((x[2] - x[1]) - (x[0] - x[2])) / reach if reach > 0.0 else 0.0
    return ratio_push(state, int(params[0]), share * x[3], x[3], out)


MONEY_FLOW = indicator(
    "money_flow",
    "Volume by where its bars closed in their ranges, as a share of all.",
    money_flow_step,
    (bars_parameter("period", 20),),
    bars_of("high", "low", "close", "volume"),
    BarCount(per_parameter={"period": 1}),
    BarCount(2 * RING_HEAD, {"period": 2}),
)


def money_flow(bars: Vertex, period: int = 20, *, name: str = "") -> FoldNode:
    """Chaikin money flow: sum over n of ((close - low) - (high - close)) / (high - low) x volume / sum of volume.

    A bar without range counts 0; no value over a window without volume. Source: Chaikin; TA-Lib's AD has the
    same money flow volume. Input: bars. Shape: one number, -1 to 1. Warm-up: period.
    """
    return MONEY_FLOW.node({"period": period}, (bars, ""), name=name, label=f"money_flow_{period}")


def _weigh(state: Vector, at: int, x: Vector, out: Vector) -> bool:
    """Add a bar to value (typical price by volume) and volume at `at`: their ratio, none before the first volume."""
    state[at] += (x[0] + x[1] + x[2]) / 3.0 * x[3]
    state[at + 1] += x[3]
    if not state[at + 1] > 0.0:
        return False
    out[0] = state[at] / state[at + 1]
    return out[0] - out[0] == 0.0


def vwap_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: any before, where its stretch opened, value, volume. x: high, low, close, volume, stretch."""
    if state[0] == 0.0 or x[4] != state[1]:
        state[0], state[1], state[2], state[3] = 1.0, x[4], 0.0, 0.0
    return _weigh(state, 2, x, out)


VWAP = indicator(
    "vwap",
    "Average price by volume since a day or another stretch began.",
    vwap_step,
    (Parameter("reset_s", ParameterType.INTEGER, "s", 86_400, minimum=1, maximum=604_800),),
    bars_of("high", "low", "close", "volume"),
    BarCount(1),
    BarCount(4),
)


def vwap(bars: Vertex, reset: str = "1d", *, name: str = "") -> FoldNode:
    """Volume-weighted average price: sum of (high + low + close) / 3 * volume / sum of volume since the day began.

    `reset`: how long a stretch is, on the grid of UTC ("1d", "1w" from Monday on). No value before its first volume.
    Source: Berkowitz, Logue and Noser 1988, by typical prices. Input: bars. Shape: one price. Warm-up: 1.
    """
    every_s = parse_interval(reset)
    times = _Opens(bars.interval_s, every_s)
    return VWAP.node({"reset_s": every_s}, (bars, ""), name=name, label=f"vwap_{reset}", times=times)


def anchored_vwap_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: value, volume. x: high, low, close, volume, open time."""
    if x[4] < params[0]:
        return False
    return _weigh(state, 0, x, out)


ANCHORED_VWAP = indicator(
    "anchored_vwap",
    "Average price by volume since an instant.",
    anchored_vwap_step,
    (Parameter("anchor_s", ParameterType.INTEGER, "s since 1970 UTC", minimum=0, maximum=253_402_300_799),),
    bars_of("high", "low", "close", "volume"),
    BarCount(1),
    BarCount(2),
)


def anchored_vwap(bars: Vertex, anchor: datetime, *, name: str = "") -> FoldNode:
    """Volume-weighted average price of the bars that open at `anchor` or later; no value before the first of them.

    Source: Shannon 2023, by typical prices. Input: bars. Shape: one price. Warm-up: 1, from the anchor on.
    Raises InvalidRequest (E_FIELD) for an anchor without a zone.
    """
    if anchor.tzinfo is None:
        raise refused("E_FIELD", "anchor", anchor.isoformat(), "a time with a zone")
    params = {"anchor_s": to_ns(anchor) // NS_PER_S}
    return ANCHORED_VWAP.node(params, (bars, ""), name=name, label="anchored_vwap", times=_Opens(bars.interval_s))


def twap_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    n = int(params[0])
    if not ring_push(state, 0, n, (x[0] + x[1] + x[2] + x[3]) / 4.0):
        return False
    out[0] = ring_sum(state, 0, n) / n
    return True


TWAP = indicator(
    "twap",
    "Average price by time.",
    twap_step,
    (bars_parameter("period"),),
    bars_of("open", "high", "low", "close"),
    BarCount(0, {"period": 1}),
    BarCount(RING_HEAD, {"period": 1}),
)


def twap(bars: Vertex, period: int, *, name: str = "") -> FoldNode:
    """Time-weighted average price: mean of (open + high + low + close) / 4 of the last n bars, oldest first.

    Source: TA-Lib AVGPRICE under SMA. Input: bars. Shape: one price. Warm-up: period.
    """
    return TWAP.node({"period": period}, (bars, ""), name=name, label=f"twap_{period}")
