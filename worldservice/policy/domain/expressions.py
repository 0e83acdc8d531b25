"""Policy expressions: CEL over the metric catalogue, checked whole at upload and cheap to evaluate.

At upload an expression is type-checked, its functions and divisors are checked, and its cost is bounded from
its syntax tree, so that evaluation cannot run for long or fail on its form. It never reads a metric whose
presence was not checked before: `names` lists what it needs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from cel_expr_python import cel  # type: ignore[import-untyped]  # the wheel has stubs but no py.typed

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.numbers import is_finite_number
from worldservice.policy.domain.cel_syntax import Call, Listing, Literal, Loop, Name, Node, UnknownForm, read_tree, walk
from worldservice.policy.domain.metric_catalogue import CATALOGUE, INTEGRAL

LENGTH_MAX = 2_000
COST_MAX = 10_000  # steps; about 3 ms at the 0.3 us one step was measured to take

_ARITHMETIC = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_", "-_"})
_LOGIC = frozenset({"_&&_", "_||_", "!_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in"})
_CONVERSIONS = frozenset({"double", "int"})
_LOOP_PARTS = frozenset({"@not_strictly_false"})
FUNCTIONS = _ARITHMETIC | _LOGIC | _CONVERSIONS | _LOOP_PARTS


class Result(Enum):
    """What an expression has to come to."""

    BOOLEAN = "BOOLEAN"
    NUMBER = "NUMBER"


class NotComputable(Exception):
    """The expression has no usable value for these numbers (overflow, not finite)."""


class Vocabulary:
    """The names that expressions of one kind may read, each a double or a whole number."""

    def __init__(self, names: Mapping[str, bool], known_as: str = "") -> None:
        """`names`: whether each is a whole number. `known_as`: what they are called; empty: their list."""
        self.names = frozenset(names)
        self.integral = frozenset(name for name, integral in names.items() if integral)
        self.known_as = known_as or f"one of {', '.join(sorted(names))}"
        types = {name: cel.Type.INT if integral else cel.Type.DOUBLE for name, integral in names.items()}
        self.env: cel.Env = cel.NewEnv(variables=types)


METRICS = Vocabulary({name: metric.integral for name, metric in CATALOGUE.items()}, "metrics of the catalogue only")


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A checked expression; equal by text and path, because the compiled form follows from them."""

    path: str
    text: str
    names: tuple[str, ...]
    cost: int
    compiled: cel.Expression
    integral: frozenset[str] = INTEGRAL

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and (self.path, self.text) == (other.path, other.text)

    def __hash__(self) -> int:
        return hash((self.path, self.text))

    def test(self, values: Mapping[str, float]) -> bool:
        """The verdict of a gate. Call only after every name in `names` was found usable."""
        outcome = self._evaluate(values)
        if not isinstance(outcome, bool):
            raise NotComputable(f"{self.path}: {outcome}")
        return outcome

    def number(self, values: Mapping[str, float]) -> float:
        """The value of a score; a result that is not finite is NotComputable."""
        outcome = self._evaluate(values)
        if not is_finite_number(outcome):
            raise NotComputable(f"{self.path}: {outcome}")
        return float(outcome)

    def _evaluate(self, values: Mapping[str, float]) -> object:
        data = {name: int(values[name]) if name in self.integral else values[name] for name in self.names}
        try:
            return self.compiled.eval(data=data).value()
        except RuntimeError as error:  # the library's only error type, e.g. its iteration budget
            raise NotComputable(f"{self.path}: {error}") from error


def compile_expression(text: str, result: Result, path: str, words: Vocabulary = METRICS) -> Expression:
    """Check `text` whole; any fault is an InvalidRequest that names `path` and says the fix."""
    if len(text) > LENGTH_MAX:
        raise _refused("E_POLICY_CEL_COST", path, text[:40], f"at most {LENGTH_MAX} characters")
    try:
        compiled = words.env.compile(text)
    except RuntimeError as error:  # the library's only error type: syntax, unknown name, type mismatch
        raise _compile_error(text, path, str(error), words) from error
    _check_type(compiled.return_type(), result, path, text)
    tree = _read(compiled, path, text)
    _check_form(tree, path, text)
    spent = cost(tree)
    if spent > COST_MAX:
        raise _refused("E_POLICY_CEL_COST", path, text[:200], f"a cost of at most {COST_MAX} steps")
    names = tuple(sorted({node.name for node in walk(tree) if isinstance(node, Name) and node.name in words.names}))
    if not names:
        raise _refused("E_POLICY_CEL_FORM", path, text, "an expression that reads at least one metric")
    return Expression(path, text, names, spent, compiled, words.integral)


def cost(node: Node) -> int:
    """Steps an evaluation takes at most; a loop costs its list's length times its body."""
    match node:
        case Literal() | Name():
            return 1
        case Call(_, arguments):
            return 1 + sum(cost(argument) for argument in arguments)
        case Listing(elements):
            return 1 + sum(cost(element) for element in elements)
        case Loop(Listing(elements) as over, start, condition, step, result):
            body = cost(condition) + cost(step)
            return cost(over) + cost(start) + len(elements) * body + cost(result)
        case Loop():
            return COST_MAX + 1  # a loop over anything but a literal list has no bound we can show


def _read(compiled: cel.Expression, path: str, text: str) -> Node:
    try:
        return read_tree(compiled.serialize())
    except UnknownForm as error:
        raise _refused("E_POLICY_CEL_FORM", path, text, str(error)) from error


def _check_type(found: cel.Type, want: Result, path: str, text: str) -> None:
    if want is Result.BOOLEAN and found != cel.Type.BOOL:
        raise _refused("E_POLICY_CEL_TYPE", path, text, "an expression that is true or false")
    if want is Result.NUMBER and found != cel.Type.DOUBLE:
        raise _refused("E_POLICY_CEL_TYPE", path, text, "a double; write double(n) for counts")


def _check_form(tree: Node, path: str, text: str) -> None:
    for node in walk(tree):
        if isinstance(node, Literal) and node.number is not None and not math.isfinite(node.number):
            raise _refused("E_POLICY_CEL_FORM", path, text, "finite literals")
        if not isinstance(node, Call):
            continue
        if node.function not in FUNCTIONS:
            raise _refused("E_POLICY_CEL_FORM", path, text, f"only arithmetic and comparisons, not {node.function}()")
        if node.function in ("_/_", "_%_") and not _is_nonzero_literal(node.arguments[1]):
            raise _refused("E_POLICY_CEL_DIVISION", path, text, "division only by a literal that is not zero")


def _is_nonzero_literal(node: Node) -> bool:
    if isinstance(node, Call) and node.function == "-_":
        return _is_nonzero_literal(node.arguments[0])
    return isinstance(node, Literal) and node.number is not None and node.number != 0


def _compile_error(text: str, path: str, message: str, words: Vocabulary) -> InvalidRequest:
    detail = message.split("ERROR: ", 1)[-1].split("\n", 1)[0].removesuffix(" [INVALID_ARGUMENT]")
    detail = detail.split(": ", 1)[-1]
    if "recursion" in detail:
        return _refused("E_POLICY_CEL_COST", path, text[:200], "less nesting: the parser goes 32 levels deep")
    if "undeclared reference" in detail:
        return _refused("E_POLICY_METRIC_UNKNOWN", path, text, f"{words.known_as} ({detail})")
    if "no matching overload" in detail:
        return _refused("E_POLICY_CEL_TYPE", path, text, f"equal types on both sides{_literal_hint(text)} ({detail})")
    return _refused("E_POLICY_CEL_SYNTAX", path, text, f"a CEL expression ({detail})")


def _literal_hint(text: str) -> str:
    """Say the fix for the usual slip: an int literal beside a double metric, or the other way round."""
    for word in text.replace("(", " ").replace(")", " ").split():
        if word.lstrip("-").isdigit():
            return f': write "{word}.0" beside a double; counts and days take "{word}"'
        if word.endswith(".0") and word[:-2].lstrip("-").isdigit():
            return f': counts and days are int, write "{word[:-2]}"'
    return ""


def _refused(reason: str, path: str, text: str, want: str) -> InvalidRequest:
    return InvalidRequest(
        reason,
        f'{path}: "{text}" is refused, want {want}',
        hint="see the metric catalogue for names and units",
        violations=[Violation(path, text, want)],
    )
