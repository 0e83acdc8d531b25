"""Vertices of a strategy's graph: sources, tag queries, custom nodes and built-ins, each with its NodeID.

A vertex is immutable and knows only what it is made of, so its id is known as soon as it is built and a
cycle cannot be written. How it runs is the engine's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.keys import MatchMode, NodeSpec, node_id, tag_query_spec
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.code.closure import code_hash
from qmtl.sdk.graph.fold import Fold, TimeColumns
from qmtl.sdk.graph.joins import Join, Joining, join_named, joining_of
from qmtl.sdk.graph.kinds import kind_over
from qmtl.sdk.graph.names import check_period, check_tags, parse_interval, tag_of
from qmtl.sdk.graph.node_types import STREAM_INPUT, NodeType
from qmtl.sdk.graph.schemas import OHLCV, VALUE, Schema
from qmtl.sdk.graph.view import BatchView, CacheView

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats


class Late(Enum):
    """What happens to a bar that comes after the watermark passed it. Orders already sent are never unsent."""

    DROP = "drop"
    SIDE_OUTPUT = "side_output"


Value = float | Sequence[float] | None
State = tuple[float, ...]
Compute = Callable[[CacheView], Value]
ComputeBatch = Callable[[BatchView], "Floats"]
Step = Callable[[State, CacheView], tuple[Sequence[float], Value]]
Params = Mapping[str, Json]
STATE_SIZE_MAX = 64
"""Numbers in the state of a custom node; more is data, which belongs into inputs or an artifact."""


class Operators(Protocol):
    """What the operators of a vertex make; `qmtl.sdk.arithmetic` gives them."""

    def add(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def subtract(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def subtract_from(self, number: float, a: Vertex) -> Vertex: ...
    def multiply(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def divide(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def number_over(self, number: float, a: Vertex) -> Vertex: ...
    def absolute(self, a: Vertex) -> Vertex: ...
    def greater(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def at_least(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def less(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def at_most(self, a: Vertex, b: Vertex | float) -> Vertex: ...
    def field(self, a: Vertex, name: str) -> Vertex: ...


_operators: Operators


def set_operators(operators: Operators) -> None:
    """Say what `a + b` and the like make of vertices."""
    global _operators
    _operators = operators


class Vertex:
    """Anything in a graph. Compared by identity; two vertices with one `node_id` compute the same thing.

    Arithmetic and comparisons with other vertices and with numbers make nodes; `==` does not.
    """

    __slots__ = ("input_names", "inputs", "joining", "kind", "name", "named", "node_id", "schema", "spec", "tags")

    def __init__(
        self,
        spec: NodeSpec,
        inputs: Mapping[str, Vertex],
        schema: Schema,
        kind: SemanticKind,
        label: tuple[str, bool, tuple[str, ...]],
        joining: Joining | None = None,
    ) -> None:
        self.spec = spec
        self.node_id = node_id(spec)
        self.inputs = tuple(inputs.values())
        self.input_names = tuple(inputs)
        self.schema = schema
        self.kind = kind
        self.joining = joining
        self.name, self.named, self.tags = label

    @property
    def interval_s(self) -> int:
        return self.spec.interval_s

    @property
    def warmup(self) -> int:
        """Inputs needed up to and including the first value."""
        return 1

    def warmup_at(self, item: Vertex) -> int:
        """Values of one input needed up to and including the first value."""
        if not self.inputs or item.interval_s <= (events_s := finest_interval(self.inputs)):
            return self.warmup
        return 1 + -(-(self.warmup - 1) * events_s // item.interval_s)

    def __add__(self, other: Vertex | float) -> Vertex:
        return _operators.add(self, other)

    def __radd__(self, other: float) -> Vertex:
        return _operators.add(self, other)

    def __sub__(self, other: Vertex | float) -> Vertex:
        return _operators.subtract(self, other)

    def __rsub__(self, other: float) -> Vertex:
        return _operators.subtract_from(other, self)

    def __mul__(self, other: Vertex | float) -> Vertex:
        return _operators.multiply(self, other)

    def __rmul__(self, other: float) -> Vertex:
        return _operators.multiply(self, other)

    def __truediv__(self, other: Vertex | float) -> Vertex:
        return _operators.divide(self, other)

    def __rtruediv__(self, other: float) -> Vertex:
        return _operators.number_over(other, self)

    def __neg__(self) -> Vertex:
        return _operators.multiply(self, -1.0)

    def __abs__(self) -> Vertex:
        return _operators.absolute(self)

    def __gt__(self, other: Vertex | float) -> Vertex:
        return _operators.greater(self, other)

    def __ge__(self, other: Vertex | float) -> Vertex:
        return _operators.at_least(self, other)

    def __lt__(self, other: Vertex | float) -> Vertex:
        return _operators.less(self, other)

    def __le__(self, other: Vertex | float) -> Vertex:
        return _operators.at_most(self, other)

    def field(self, name: str) -> Vertex:
        """One column as a stream: `price.field("high")`. Raises InvalidRequest (E_FIELD_UNKNOWN)."""
        return _operators.field(self, name)

    def __bool__(self) -> bool:
        raise TypeError(f"{self.name} has values only when it runs: use where, minimum, maximum of qmtl.sdk")

    def __repr__(self) -> str:
        return f"<{self.spec.node_type} {self.name} {self.node_id[7:15]}>"


class StreamInput(Vertex):
    """Bars of one symbol: open, high, low, close (quote currency per unit) and volume, known at their close.

    `period` is how many bars of history the strategy wants kept. `allowed_lateness` ("30s") holds bars back that
    long so that late ones can be put in order; what comes later still is dropped or put aside, as `late` says.
    """

    __slots__ = ("late", "lateness_s", "symbol")

    def __init__(
        self,
        symbol: str,
        interval: str = "15m",
        period: int = 96,
        *,
        allowed_lateness: str = "",
        late: Late = Late.DROP,
        tags: Iterable[str] = (),
        name: str = "",
    ) -> None:
        if not symbol.strip() or len(symbol) > 100:
            raise refused("E_SYMBOL", "symbol", repr(symbol), "1 to 100 characters")
        self.symbol = symbol
        self.lateness_s = parse_interval(allowed_lateness) if allowed_lateness else 0
        self.late = late
        params: dict[str, Json] = {"symbol": symbol}
        if self.lateness_s:
            params |= {"allowed_lateness_s": self.lateness_s, "late": late.value}
        spec = NodeSpec(
            node_type=STREAM_INPUT.node_type,
            interval_s=parse_interval(interval),
            period=check_period(period),
            params=params,
            dependencies=(),
            schema_compat_id=OHLCV.compat_id,
            code_hash=STREAM_INPUT.code_hash,
        )
        labels = check_tags((tag_of(symbol), *tags))
        super().__init__(spec, {}, OHLCV, SemanticKind.CAUSAL_STREAM, (name or tag_of(symbol), bool(name), labels))


class TagQuery(Vertex):
    """Every queue with these tags, found when the strategy runs; what is found never changes the NodeID."""

    __slots__ = ("match",)

    def __init__(self, tags: Iterable[str], interval: str, match: MatchMode = "any", *, name: str = "") -> None:
        labels = check_tags(tags)
        if not labels:
            raise refused("E_TAG", "tags", "empty", "at least one tag")
        if match not in ("any", "all"):
            raise refused("E_TAG_MATCH", "match", repr(match), "any or all")
        spec = tag_query_spec(labels, match, parse_interval(interval))
        super().__init__(
            spec, {}, VALUE, SemanticKind.CAUSAL_STREAM, (name or "query_" + "_".join(labels), bool(name), labels)
        )
        self.match = match


class ArrayForm:
    """The array form of a custom node, used until it was found to differ from the node's compute function."""

    __slots__ = ("compute", "used")

    def __init__(self, compute: ComputeBatch) -> None:
        self.compute = compute
        self.used = True


class Node(Vertex):
    """A custom stream: `compute(view)` runs once per event at which every input has a value.

    It returns a number (or one number per schema field), or None for no value. `period` is how many rows of each input
    it may see, a slower input's by its own bars; it is not called before all are there. `join` says who may be missing
    (qmtl.sdk.Join). Its code, not its name, is its identity.

    With `state`, the finite numbers that it begins with, `compute(state, view)` returns the state after the event, as
    many numbers, and the value: what comes before is in its state, whoever runs it from where. At most STATE_SIZE_MAX.

    `compute_batch(view)` is the same for many events at once, for backtests: one number (or row) an event, NaN for no
    value. It is compared with `compute` at some events of every run, and not used any more once one differs.
    """

    __slots__ = ("array_form", "compute", "state")

    def __init__(
        self,
        inputs: Vertex | Sequence[Vertex] | Mapping[str, Vertex],
        compute: Compute | Step,
        *,
        state: Sequence[float] | None = None,
        compute_batch: ComputeBatch | None = None,
        period: int = 1,
        interval: str = "",
        schema: Schema = VALUE,
        kind: SemanticKind = SemanticKind.CAUSAL_STREAM,
        name: str = "",
        tags: Iterable[str] = (),
        code_version: str = "",
        join: Join | str = Join.DROP,
    ) -> None:
        named = name_inputs(inputs)
        kind, rule = kind_over(kind, [vertex.kind for vertex in named.values()]), join_named(join)
        params: dict[str, Json] = {
            "inputs": [[key, vertex.node_id] for key, vertex in named.items()],
            "kind": kind.value,
        }
        if rule is not Join.DROP:
            params["join"] = rule.value
        self.state = None if state is None else _numbers(state)
        if self.state is not None:
            params["state"] = list(self.state)
        if compute_batch is not None:
            if self.state is not None:
                raise refused("E_FIELD", "compute_batch", "given with state", "a node without a state")
            params["compute_batch"] = code_hash(compute_batch, code_version=code_version)
        spec = NodeSpec(
            node_type="Node",
            interval_s=parse_interval(interval) if interval else finest_interval(named.values()),
            period=check_period(period),
            params=params,
            dependencies=tuple(vertex.node_id for vertex in named.values()),
            schema_compat_id=schema.compat_id,
            code_hash=code_hash(compute, code_version=code_version),
        )
        labels = check_tags(tags) or tags_of(named)
        joining = joining_of([vertex.interval_s for vertex in named.values()], rule)
        super().__init__(spec, named, schema, kind, (name or tag_of(_name_of(compute)), bool(name), labels), joining)
        self.compute = compute
        self.array_form = None if compute_batch is None else ArrayForm(compute_batch)

    @property
    def warmup(self) -> int:
        return self.spec.period

    def warmup_at(self, item: Vertex) -> int:
        return self.warmup


class FoldNode(Vertex):
    """A built-in: a fold over chosen columns of its inputs, made from its declaration by `Builtin.node`."""

    __slots__ = ("columns", "fold", "times")

    def __init__(
        self,
        declared: NodeType,
        fold: Fold,
        columns: Sequence[tuple[Vertex, str]],
        params: Params,
        *,
        name: str = "",
        label: str,
        times: TimeColumns | None = None,
        interval_s: int | None = None,
    ) -> None:
        inputs = list(dict.fromkeys(vertex for vertex, _ in columns))
        named = {f"in{i}": vertex for i, vertex in enumerate(inputs)}
        self.columns = tuple((inputs.index(vertex), vertex.schema.column(field)) for vertex, field in columns)
        self.fold = fold
        self.times = times
        clock = None
        if declared.clock:
            port = [each.name for each in declared.inputs].index(declared.clock)
            clock = inputs.index(columns[port][0])
            interval_s = interval_s or inputs[clock].interval_s
        spec = NodeSpec(
            node_type=declared.node_type,
            interval_s=interval_s or finest_interval(inputs),
            period=check_period(1 if declared.period is None else declared.period.of(params)),
            # Dependencies are a set in the NodeID; what reads which column of which input must be said here.
            params={**params, "inputs": [[vertex.node_id, field] for vertex, field in columns]},
            dependencies=tuple(vertex.node_id for vertex in inputs),
            schema_compat_id=declared.output.compat_id,
            code_hash=fold.code_hash,
        )
        label_of = name or label, bool(name), tags_of(named)
        joining = joining_of([vertex.interval_s for vertex in inputs], clock=clock)
        kind = kind_over(declared.kind, [vertex.kind for vertex in inputs])
        super().__init__(spec, named, declared.output, kind, label_of, joining)

    @property
    def warmup(self) -> int:
        return self.fold.warmup


def name_inputs(inputs: Vertex | Sequence[Vertex] | Mapping[str, Vertex]) -> dict[str, Vertex]:
    """Inputs by name; unnamed ones are in0, in1, ... Raises InvalidRequest (E_INPUTS) when there is none."""
    if isinstance(inputs, Mapping):
        named = dict(inputs)
    else:
        listed = (inputs,) if isinstance(inputs, Vertex) else inputs
        named = {f"in{i}": vertex for i, vertex in enumerate(listed)}
    if not named:
        raise refused("E_INPUTS", "inputs", "empty", "at least one input")
    return named


def finest_interval(inputs: Iterable[Vertex]) -> int:
    """The shortest interval of the inputs, s: that of the events of what reads them."""
    return min(vertex.interval_s for vertex in inputs)


def tags_of(inputs: Mapping[str, Vertex]) -> tuple[str, ...]:
    """Tags a node inherits from its inputs."""
    return check_tags(tag for vertex in inputs.values() for tag in vertex.tags)


def _numbers(state: Sequence[float]) -> State:
    want = f"1 to {STATE_SIZE_MAX} finite numbers"
    if isinstance(state, str) or not isinstance(state, Sequence) or not 1 <= len(state) <= STATE_SIZE_MAX:
        raise refused("E_FIELD", "state", f"{state!r:.60}", want)
    for number in state:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise refused("E_FIELD", "state", f"{number!r:.60}", want)
    return tuple(float(number) for number in state)


def _name_of(compute: Compute | Step) -> str:
    return compute.__name__ if isinstance(compute, type(_name_of)) else type(compute).__name__
