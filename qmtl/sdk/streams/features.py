"""A published feature inside a graph: at each bar the newest of its values that was known by the bar's close.

The values are an artifact's and come from outside: a run binds them to its graph before it begins. A bar never sees a
value that became known after it closed, whatever the artifact has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import NotReady, refused
from qmtl.core.identity.canonical import Json, canonical_json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.names import INTERVAL_S_MAX, parse_interval
from qmtl.sdk.graph.node_types import InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import OHLCV, VALUE
from qmtl.sdk.graph.vertices import FoldNode, StreamInput

if TYPE_CHECKING:
    import polars as pl

    from qmtl.core.arrays.types import Floats, Times

PARAMS_CHARS_MAX = 4096


def feature_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[1]
    return x[1] == x[1]  # NaN: nothing is known yet, or what is known is too old


FEATURE = Builtin(
    NodeType(
        node_type="feature.value",
        code_hash="builtin:feature_value@1.0",
        summary="The newest value of a published feature that was known at each bar's close.",
        output=VALUE,
        kind=SemanticKind.IMMUTABLE_ARTIFACT,
        parameters=(
            Parameter("factor", ParameterType.TEXT, "", minimum=1, maximum=64),
            Parameter("instrument", ParameterType.TEXT, "symbol of the market", minimum=1, maximum=100),
            Parameter("feature_interval_s", ParameterType.INTEGER, "s", minimum=1, maximum=INTERVAL_S_MAX),
            Parameter(
                "feature_params", ParameterType.TEXT, "canonical JSON", "{}", minimum=2, maximum=PARAMS_CHARS_MAX
            ),
            Parameter("column", ParameterType.TEXT, "", "value", minimum=1, maximum=64),
            Parameter("max_age_s", ParameterType.INTEGER, "s", 0, minimum=0, maximum=INTERVAL_S_MAX),
        ),
        inputs=(InputPort("price", ("close",), (OHLCV,), (SemanticKind.CAUSAL_STREAM,)),),
    ),
    feature_step,
)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSource:
    """The feature that a node reads: its name, and the column; `params` as they were published."""

    factor: str
    instrument: str
    interval_s: int
    params: Mapping[str, Json]
    column: str

    @property
    def text(self) -> str:
        """The feature, for people."""
        return f"{self.factor}{canonical_json(dict(self.params)).decode()} of {self.instrument} at {self.interval_s} s"


class FeatureColumn:
    """What each event sees of a feature, once its rows are bound. `max_age_ns` 0: a value never grows too old."""

    def __init__(self, source: FeatureSource, max_age_ns: int) -> None:
        self.source = source
        self._max_age_ns = max_age_ns
        self._rows: tuple[Times, Floats] | None = None

    @property
    def width(self) -> int:
        return 1

    def bind(self, frame: pl.DataFrame) -> None:
        """Take the rows of an artifact, as Runner.read_feature gives them: `time` (UTC) and its columns.

        Raises InvalidRequest (E_FEATURE_ROWS) for a frame without the column, or out of order.
        """
        import polars as pl

        for name in ("time", self.source.column):
            if name not in frame.columns:
                raise refused("E_FEATURE_ROWS", self.source.text, f"columns {', '.join(frame.columns)}", f"{name!r}")
        times = frame["time"].cast(pl.Datetime("ns")).to_physical().to_numpy().astype(np.int64)
        if (np.diff(times) <= 0).any():
            raise refused("E_FEATURE_ROWS", f"{self.source.text}: time", "not rising", "one row an instant, in order")
        self._rows = times, frame[self.source.column].to_numpy().astype(np.float64)

    def of(self, times: Times) -> Floats:
        """The value of each event, NaN where there is none. Raises NotReady (E_FEATURE_MISSING): no rows were bound."""
        if self._rows is None:
            raise NotReady(
                "E_FEATURE_MISSING",
                f"the graph reads {self.source.text}, and this run was given no rows of it",
                hint="locally: Runner.backtest(..., features={name of the node: Runner.read_feature(...)})",
            )
        known, values = self._rows
        at = np.searchsorted(known, times, side="right") - 1
        seen = np.where(at >= 0, values[np.maximum(at, 0)], np.nan) if len(known) else np.full(len(times), np.nan)
        if self._max_age_ns and len(known):
            seen = np.where(times - known[np.maximum(at, 0)] <= self._max_age_ns, seen, np.nan)
        return seen[:, np.newaxis]


def feature(
    price: StreamInput,
    factor: str,
    *,
    params: Mapping[str, Json] | None = None,
    instrument: str = "",
    interval: str = "",
    column: str = "value",
    max_age: str = "",
    name: str = "",
) -> FoldNode:
    """A feature of the world, as of the bars of `price`: the newest value that was known at each bar's close.

    `factor` and `params` as it was published; `instrument` and `interval` are those of `price` where nothing else is
    said. Shape: one number, in the feature's unit; no value before the first, nor where the newest is older than
    `max_age` ("2d"; empty: never). A backtest sees what was published by its as_of, a session what was when it began.
    Warm-up: 1. Raises InvalidRequest (E_FIELD, E_INTERVAL, E_NODE_PARAMETER).
    """
    if not isinstance(price, StreamInput):
        raise refused("E_FIELD", "price", type(price).__name__, "bars: StreamInput(symbol)")
    max_age_s = parse_interval(max_age) if max_age else 0
    interval_s = parse_interval(interval) if interval else price.interval_s
    source = FeatureSource(factor, instrument or price.symbol, interval_s, dict(params or {}), column)
    return FEATURE.node(
        {
            "factor": factor,
            "instrument": source.instrument,
            "feature_interval_s": interval_s,
            "feature_params": canonical_json(dict(source.params)).decode(),
            "column": column,
            "max_age_s": max_age_s,
        },
        (price, ""),
        name=name,
        label=factor,
        times=FeatureColumn(source, max_age_s * NS_PER_S),
    )


def features_of(dag: Dag) -> dict[str, FeatureColumn]:
    """The features that a graph reads, by the name of the node."""
    return {
        dag.names[vertex.node_id]: vertex.times
        for vertex in dag.nodes
        if isinstance(vertex, FoldNode) and isinstance(vertex.times, FeatureColumn)
    }


def bind_features(dag: Dag, frames: Mapping[str, pl.DataFrame]) -> None:
    """Give each node that reads a feature its rows, by the name of the node. What is given to no node is refused.

    Raises InvalidRequest (E_FIELD, E_FEATURE_ROWS).
    """
    read = features_of(dag)
    for name, frame in frames.items():
        if name not in read:
            raise refused("E_FIELD", "features", name, f"one of the nodes that read one: {', '.join(read) or 'none'}")
        read[name].bind(frame)
