"""Node types as every language may build them: parameters with their ranges, inputs, output, period and warm-up.

A type is declared once. The SDK's builders check against the declaration, and the node catalogue is written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.dag import TAGS_MAX
from qmtl.core.identity.nodes import SemanticKind
from qmtl.core.numbers import is_finite_number
from qmtl.sdk.graph.names import INTERVAL_S_MAX, PERIOD_MAX
from qmtl.sdk.graph.schemas import OHLCV, VALUE, Schema


class ParameterType(Enum):
    """JSON type of a parameter; a NUMBER may be written as an integer."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    TEXT_LIST = "text_list"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a node's `params`.

    `default` is what a builder writes when the author says nothing; None: the author must say. Bounds are inclusive but
    `above`; they count the characters of a text and the items of a list. `required` False: `params` may lack the key.
    """

    name: str
    type: ParameterType
    unit: str
    default: Json = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    required: bool = True

    @property
    def range(self) -> str:
        """The allowed values, for people."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        noun = {ParameterType.INTEGER: "a whole number", ParameterType.NUMBER: "a finite number"}.get(self.type, "")
        if self.type is ParameterType.BOOLEAN:
            return "true or false"
        if self.type is ParameterType.TEXT:
            return f"text of {self.minimum:g} to {self.maximum:g} characters"
        if self.type is ParameterType.TEXT_LIST:
            return f"a list of {self.minimum:g} to {self.maximum:g} texts"
        low = f" of at least {self.minimum:g}" if self.minimum is not None else ""
        low = f" above {self.above:g}" if self.above is not None else low
        return noun + low + (f" and at most {self.maximum:g}" if self.maximum is not None else "")

    def check(self, value: Json) -> None:
        """Raise InvalidRequest (E_NODE_PARAMETER) for a value of another type or outside the range."""
        if not self._holds(value):
            raise refused("E_NODE_PARAMETER", self.name, repr(value), self.range)

    def _holds(self, value: Json) -> bool:
        if self.type is ParameterType.BOOLEAN:
            return isinstance(value, bool)
        if self.type is ParameterType.TEXT:
            return isinstance(value, str) and self._in_range(len(value)) and (not self.choices or value in self.choices)
        if self.type is ParameterType.TEXT_LIST:
            return isinstance(value, list) and self._in_range(len(value)) and all(isinstance(v, str) for v in value)
        if not is_finite_number(value):
            return False
        whole = self.type is ParameterType.NUMBER or isinstance(value, int)
        return whole and self._in_range(value)

    def _in_range(self, number: float) -> bool:
        low = self.minimum is None or number >= self.minimum
        high = self.maximum is None or number <= self.maximum
        return low and high and (self.above is None or number > self.above)


@dataclass(frozen=True, slots=True)
class InputPort:
    """One input of a node type. `fields` empty: one field of the author's choice; `schemas` and `kinds` empty: any."""

    name: str
    fields: tuple[str, ...] = ()
    schemas: tuple[Schema, ...] = ()
    kinds: tuple[SemanticKind, ...] = ()


@dataclass(frozen=True, slots=True)
class BarCount:
    """A number of bars: a constant plus a multiple of each named parameter."""

    constant: int = 0
    per_parameter: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, params: Mapping[str, Json]) -> int:
        """The number for given parameters, all of them whole numbers."""
        total = self.constant
        for name, factor in self.per_parameter.items():
            value = params[name]
            if not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}, want a whole number")
            total += factor * value
        return total


@dataclass(frozen=True, slots=True)
class Ordering:
    """Two parameters of which one must be less than the other (`strict`), or not above it."""

    lesser: str
    greater: str
    strict: bool

    def check(self, params: Mapping[str, Json]) -> None:
        """Raise InvalidRequest (E_NODE_PARAMETER) naming the lesser parameter."""
        low, high = params[self.lesser], params[self.greater]
        if not isinstance(low, int | float) or not isinstance(high, int | float):
            raise TypeError(f"{self.lesser} and {self.greater} are no numbers")
        if low > high or (self.strict and low == high):
            want = f"less than {self.greater}" if self.strict else f"at most {self.greater}"
            raise refused("E_NODE_PARAMETER", self.lesser, repr(low), f"{want} ({high})")


@dataclass(frozen=True, slots=True)
class NodeType:
    """A built-in node type. `period` None: the author's choice; `warm_up` counts inputs up to the first value.

    `clock`: the input that alone makes its events; the others are read as of them.
    """

    node_type: str
    code_hash: str
    summary: str
    output: Schema
    kind: SemanticKind
    parameters: tuple[Parameter, ...] = ()
    inputs: tuple[InputPort, ...] = ()
    period: BarCount | None = field(default_factory=lambda: BarCount(1))
    warm_up: BarCount = field(default_factory=lambda: BarCount(1))
    orderings: tuple[Ordering, ...] = ()
    clock: str = ""

    def check(self, params: Mapping[str, Json]) -> None:
        """Raise InvalidRequest (E_NODE_PARAMETER) for parameters that are missing, unknown or out of range."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in params:
            if name not in known:
                raise refused("E_NODE_PARAMETER", name, "given", f"a parameter of {self.node_type}")
        for name, parameter in known.items():
            if name in params:
                parameter.check(params[name])
            elif parameter.required:
                raise refused("E_NODE_PARAMETER", name, "missing", parameter.range)
        for ordering in self.orderings:
            ordering.check(params)


def bars_parameter(name: str, default: int | None = None, minimum: int = 1) -> Parameter:
    """A length in bars."""
    return Parameter(name, ParameterType.INTEGER, "bars", default, minimum=minimum, maximum=PERIOD_MAX)


def number_parameter(name: str, unit: str, default: float | None = None) -> Parameter:
    """Any finite number."""
    return Parameter(name, ParameterType.NUMBER, unit, default)


STREAM_INPUT = NodeType(
    node_type="StreamInput",
    code_hash="builtin:stream_input@1.0",
    summary="Bars of one symbol, known at their close.",
    output=OHLCV,
    kind=SemanticKind.CAUSAL_STREAM,
    parameters=(
        Parameter("symbol", ParameterType.TEXT, "symbol of the market", minimum=1, maximum=100),
        Parameter("allowed_lateness_s", ParameterType.INTEGER, "s", minimum=1, maximum=INTERVAL_S_MAX, required=False),
        Parameter(
            "late", ParameterType.TEXT, "", choices=("drop", "side_output"), minimum=1, maximum=20, required=False
        ),
    ),
    period=None,
)

TAG_QUERY = NodeType(
    node_type="TagQuery",
    code_hash="builtin:tagquery@1.0",
    summary="Every queue with the tags, found when the strategy runs.",
    output=VALUE,
    kind=SemanticKind.CAUSAL_STREAM,
    parameters=(
        Parameter("query_tags", ParameterType.TEXT_LIST, "", minimum=1, maximum=TAGS_MAX),
        Parameter("match_mode", ParameterType.TEXT, "", "any", minimum=1, maximum=3, choices=("any", "all")),
    ),
    period=BarCount(0),
)
