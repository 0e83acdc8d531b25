"""Whether a symbol was of a universe at each bar, so that a backtest trades no one before it came or after it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.core.instants import YEARS, timestamp_text, to_ns
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import OHLCV, VALUE
from qmtl.sdk.graph.vertices import FoldNode, Vertex

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

STAYS_MAX = 64
_FOREVER_NS = np.iinfo(np.int64).max


def member_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    """No state. x: close, whether the bar closes inside a stay."""
    out[0] = x[1]
    return True


MEMBER = Builtin(
    NodeType(
        node_type="stream.member",
        code_hash="builtin:member@1.0",
        summary="1 at bars that close while the symbol is of a universe, else 0.",
        output=VALUE,
        kind=SemanticKind.CAUSAL_STREAM,
        parameters=(Parameter("stays", ParameterType.TEXT_LIST, "start/end, UTC", minimum=1, maximum=STAYS_MAX),),
        inputs=(InputPort("bars", ("close",), (OHLCV,)),),
        warm_up=BarCount(1),
    ),
    member_step,
)


@dataclass(frozen=True, slots=True)
class _Stays:
    """One column: 1 where a close lies in one of the stays, which are in order and apart; ns."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def width(self) -> int:
        return 1

    def of(self, times: Times) -> Floats:
        place = np.searchsorted(np.array(self.starts, np.int64), times, side="right") - 1
        inside = (place >= 0) & (times < np.array(self.ends, np.int64)[place])
        return inside.astype(np.float64).reshape(-1, 1)


def member(bars: Vertex, stays: Sequence[tuple[str, str]], *, name: str = "") -> FoldNode:
    """1 where the symbol of these bars was of the universe, else 0: (start, end) of each stay, the end excluded.

    A time is a day ("2008-09-15", its midnight UTC) or an instant with an offset; an empty start: from the first bar
    on; an empty end: still. `qmtl data members` lists them. The instant is a bar's close, when a strategy acts on it.
    Shape: one number. Warm-up: 1.

    Raises InvalidRequest: E_NODE_PARAMETER for no stay or too many, E_FIELD for a time that cannot be read, a stay that
    ends before it starts, and stays that are not in order and apart.
    """
    edges = [(_ns(start, f"stays[{n}].start"), _ns(end, f"stays[{n}].end")) for n, (start, end) in enumerate(stays)]
    before_ns: int | None = -_FOREVER_NS
    for index, (start_ns, end_ns) in enumerate(edges):
        begins_ns = -_FOREVER_NS if start_ns is None else start_ns
        if before_ns is None or begins_ns < before_ns:
            raise refused("E_FIELD", f"stays[{index}].start", stays[index][0], "not before the end of the stay before")
        if end_ns is not None and end_ns <= begins_ns:
            raise refused("E_FIELD", f"stays[{index}].end", stays[index][1], f"after {stays[index][0]}")
        before_ns = end_ns
    params: dict[str, Json] = {"stays": [f"{_text(start)}/{_text(end)}" for start, end in stays]}
    times = _Stays(
        tuple(-_FOREVER_NS if start is None else start for start, _ in edges),
        tuple(_FOREVER_NS if end is None else end for _, end in edges),
    )
    return MEMBER.node(params, (bars, ""), name=name, label=f"{bars.name}_member", times=times)


def _ns(text: str, field: str) -> int | None:
    """Raises InvalidRequest (E_FIELD)."""
    try:
        return to_ns(_instant(text)) if text else None
    except ValueError:
        want = f"a day or an instant with an offset, of the years {YEARS[0]} to {YEARS[1]}, or nothing"
        raise refused("E_FIELD", field, repr(text), want) from None


def _text(text: str) -> str:
    return timestamp_text(_instant(text)) if text else ""


def _instant(text: str) -> datetime:
    """Raises ValueError."""
    found = datetime.fromisoformat(text)
    if not YEARS[0] <= found.year <= YEARS[1]:
        raise ValueError(text)
    if len(text) == len("2008-09-15"):
        return found.replace(tzinfo=UTC)
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(UTC)
