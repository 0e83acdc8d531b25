"""Arithmetic on streams: `fast - slow`, `price / ta.sma(price, 20) > 1.02`, `where(condition, a, b)`.

Each operation is a built-in node, so equal expressions have equal ids. A number beside a stream is a parameter of the
node. A value that is not finite, a quotient over zero among them, is no value: the node is silent at that instant. A
comparison is 1 where it holds, else 0.
"""

from __future__ import annotations

from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Step, Vector
from qmtl.sdk.graph.node_types import InputPort, NodeType, number_parameter
from qmtl.sdk.graph.schemas import VALUE
from qmtl.sdk.graph.vertices import FoldNode, Operators, Vertex, set_operators


def add_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0] + x[1]
    return out[0] - out[0] == 0.0


def subtract_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0] - x[1]
    return out[0] - out[0] == 0.0


def multiply_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0] * x[1]
    return out[0] - out[0] == 0.0


def divide_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if x[1] == 0.0:
        return False
    out[0] = x[0] / x[1]
    return out[0] - out[0] == 0.0


def minimum_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[1] if x[1] < x[0] else x[0]
    return True


def maximum_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[1] if x[1] > x[0] else x[0]
    return True


def greater_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 1.0 if x[0] > x[1] else 0.0
    return True


def at_least_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 1.0 if x[0] >= x[1] else 0.0
    return True


def where_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[1] if x[0] != 0.0 else x[2]
    return True


def absolute_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = -x[0] if x[0] < 0.0 else x[0]
    return True


def add_number_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0] + params[0]
    return out[0] - out[0] == 0.0


def multiply_number_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0] * params[0]
    return out[0] - out[0] == 0.0


def divide_number_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0] / params[0]
    return out[0] - out[0] == 0.0


def number_over_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    if x[0] == 0.0:
        return False
    out[0] = params[0] / x[0]
    return out[0] - out[0] == 0.0


def above_number_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 1.0 if x[0] > params[0] else 0.0
    return True


def from_number_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = 1.0 if x[0] >= params[0] else 0.0
    return True


def field_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0]
    return True


def _declared(name: str, summary: str, step: Step, inputs: tuple[str, ...], *, number: bool = False) -> Builtin:
    return Builtin(
        NodeType(
            node_type=f"arithmetic.{name}",
            code_hash=f"builtin:{name}@1.0",
            summary=summary,
            output=VALUE,
            kind=SemanticKind.CAUSAL_STREAM,
            parameters=(number_parameter("number", "unit of the input"),) if number else (),
            inputs=tuple(map(InputPort, inputs)),
        ),
        step,
    )


_TWO = ("a", "b")
ADD = _declared("add", "a + b.", add_step, _TWO)
SUBTRACT = _declared("subtract", "a - b.", subtract_step, _TWO)
MULTIPLY = _declared("multiply", "a * b.", multiply_step, _TWO)
DIVIDE = _declared("divide", "a / b; no value over zero.", divide_step, _TWO)
MINIMUM = _declared("minimum", "The lesser of a and b.", minimum_step, _TWO)
MAXIMUM = _declared("maximum", "The greater of a and b.", maximum_step, _TWO)
GREATER = _declared("greater", "1 where a > b, else 0.", greater_step, _TWO)
AT_LEAST = _declared("at_least", "1 where a >= b, else 0.", at_least_step, _TWO)
WHERE = _declared("where", "a where the condition is not 0, else b.", where_step, ("condition", *_TWO))
ABSOLUTE = _declared("absolute", "The magnitude of a.", absolute_step, ("a",))
FIELD = _declared("field", "One column of a.", field_step, ("a",))
ADD_NUMBER = _declared("add_number", "a + number.", add_number_step, ("a",), number=True)
MULTIPLY_NUMBER = _declared("multiply_number", "a * number.", multiply_number_step, ("a",), number=True)
DIVIDE_NUMBER = _declared("divide_number", "a / number.", divide_number_step, ("a",), number=True)
NUMBER_OVER = _declared("number_over", "number / a; no value over zero.", number_over_step, ("a",), number=True)
ABOVE_NUMBER = _declared("above_number", "1 where a > number, else 0.", above_number_step, ("a",), number=True)
FROM_NUMBER = _declared("from_number", "1 where a >= number, else 0.", from_number_step, ("a",), number=True)


def minimum(a: Vertex, b: Vertex, *, name: str = "") -> FoldNode:
    """The lesser of two streams at each instant. Warm-up: 1."""
    return _node(MINIMUM, a, b, name=name)


def maximum(a: Vertex, b: Vertex, *, name: str = "") -> FoldNode:
    """The greater of two streams at each instant. Warm-up: 1."""
    return _node(MAXIMUM, a, b, name=name)


def where(condition: Vertex, a: Vertex, b: Vertex, *, name: str = "") -> FoldNode:
    """`a` where the condition is not 0, else `b`. All three must have a value at the instant. Warm-up: 1."""
    return _node(WHERE, condition, a, b, name=name)


def _node(builtin: Builtin, *sources: Vertex, number: float | None = None, name: str = "") -> FoldNode:
    label = builtin.type.node_type.removeprefix("arithmetic.")
    if number is not None and not isinstance(number, int | float):
        raise TypeError(f"{label} takes streams and numbers, not {type(number).__name__}")
    params: dict[str, Json] = {} if number is None else {"number": float(number)}
    return builtin.node(params, *[(source, "") for source in sources], name=name, label=label)


def _negative(a: Vertex) -> FoldNode:
    return _node(MULTIPLY_NUMBER, a, number=-1.0)


class _Arithmetic(Operators):
    """What the operators of a stream make."""

    def add(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(ADD, a, b) if isinstance(b, Vertex) else _node(ADD_NUMBER, a, number=b)

    def subtract(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(SUBTRACT, a, b) if isinstance(b, Vertex) else _node(ADD_NUMBER, a, number=-b)

    def subtract_from(self, number: float, a: Vertex) -> Vertex:
        return _node(ADD_NUMBER, _negative(a), number=number)

    def multiply(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(MULTIPLY, a, b) if isinstance(b, Vertex) else _node(MULTIPLY_NUMBER, a, number=b)

    def divide(self, a: Vertex, b: Vertex | float) -> Vertex:
        if isinstance(b, Vertex):
            return _node(DIVIDE, a, b)
        if b == 0:
            raise ZeroDivisionError(f"{a.name} / 0")
        return _node(DIVIDE_NUMBER, a, number=b)

    def number_over(self, number: float, a: Vertex) -> Vertex:
        return _node(NUMBER_OVER, a, number=number)

    def absolute(self, a: Vertex) -> Vertex:
        return _node(ABSOLUTE, a)

    def greater(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(GREATER, a, b) if isinstance(b, Vertex) else _node(ABOVE_NUMBER, a, number=b)

    def at_least(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(AT_LEAST, a, b) if isinstance(b, Vertex) else _node(FROM_NUMBER, a, number=b)

    def less(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(GREATER, b, a) if isinstance(b, Vertex) else _node(ABOVE_NUMBER, _negative(a), number=-b)

    def at_most(self, a: Vertex, b: Vertex | float) -> Vertex:
        return _node(AT_LEAST, b, a) if isinstance(b, Vertex) else _node(FROM_NUMBER, _negative(a), number=-b)

    def field(self, a: Vertex, name: str) -> Vertex:
        return FIELD.node({}, (a, name), label=name)


set_operators(_Arithmetic())
