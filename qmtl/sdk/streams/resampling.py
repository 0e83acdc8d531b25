"""Bars made of finer ones, on the grid of a calendar."""

from __future__ import annotations

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.names import INTERVAL_S_MAX, parse_interval
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.sdk.graph.vertices import FoldNode, Vertex
from qmtl.sdk.streams.grid import ALWAYS, CoarseGrid, check_calendar, check_lengths


def resample_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """State: bars taken, open of the coarse bar (s), then its open, high, low, volume. x: bar, place."""
    opens, last, expected = x[5], x[6], x[7]
    if expected == 0.0:
        return False
    if state[0] == 0.0 or state[1] != opens:
        state[0], state[1], state[2], state[3], state[4], state[5] = 0.0, opens, x[0], x[1], x[2], 0.0
    state[0] += 1.0
    if x[1] > state[3]:
        state[3] = x[1]
    if x[2] < state[4]:
        state[4] = x[2]
    state[5] += x[4]
    if last == 0.0 or (params[2] == 0.0 and state[0] < expected):
        return False
    out[0], out[1], out[2], out[3], out[4] = state[2], state[3], state[4], x[3], state[5]
    return True


RESAMPLE = Builtin(
    NodeType(
        node_type="stream.resample",
        code_hash="builtin:resample@1.0",
        summary="Bars made of finer ones, known at the close of their last.",
        output=OHLCV,
        kind=SemanticKind.CAUSAL_STREAM,
        parameters=(
            Parameter("interval_s", ParameterType.INTEGER, "s", minimum=2, maximum=INTERVAL_S_MAX),
            Parameter("bars", ParameterType.INTEGER, "finer bars in one around the clock", minimum=2, maximum=604_800),
            Parameter("keep_partial", ParameterType.INTEGER, "1: bars that lack some inside too", 0, 0, 1),
            Parameter("calendar", ParameterType.TEXT, "24/7 or a code of ISO 10383", ALWAYS, minimum=1, maximum=40),
        ),
        inputs=(InputPort("bars", OHLCV.fields, (OHLCV,)),),
        warm_up=BarCount(-1, {"bars": 2}),
    ),
    resample_step,
    state_size=BarCount(6),
)


def resample(bars: Vertex, interval: str, *, partial: str = "drop", calendar: str = ALWAYS, name: str = "") -> FoldNode:
    """Bars of a longer interval: first open, highest high, lowest low, last close, sum of volumes, oldest first.

    They stand on the grid of the interval (weeks begin on Monday, UTC); with a calendar ("XNYS") only bars of regular
    hours are taken, and a day is a session by its date. A bar is known at the close of its last finer bar; without
    that one it never is. `partial`: "drop" makes bars of which nothing is missing, "keep" those too that lack a finer
    bar before the last. Shape: bars, in the input's units. Warm-up: 2 * interval / input's interval - 1.

    Raises InvalidRequest: E_INTERVAL, E_FIELD, E_CALENDAR_UNKNOWN.
    """
    if partial not in ("drop", "keep"):
        raise refused("E_FIELD", "partial", repr(partial), "drop or keep")
    check_calendar(calendar)
    coarse_s = parse_interval(interval)
    params: dict[str, Json] = {
        "interval_s": coarse_s,
        "bars": check_lengths(bars.interval_s, coarse_s),
        "keep_partial": int(partial == "keep"),
        "calendar": calendar,
    }
    grid = CoarseGrid(calendar, bars.interval_s, coarse_s)
    label = f"{bars.name}_{interval}"
    return RESAMPLE.node(params, (bars, ""), name=name, label=label, times=grid, interval_s=coarse_s)
