"""Warnings of code whose value is another each time: what a clock says, and random numbers that nobody seeded."""

from __future__ import annotations

import ast
from collections.abc import Iterator

CHANGING = frozenset(
    {
        "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
        "os.urandom", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.time", "time.time_ns",
        "uuid.uuid1", "uuid.uuid4",
    }
    | {f"random.{name}" for name in ("choice", "gauss", "randint", "random", "randrange", "shuffle", "uniform")}
    | {f"numpy.random.{name}" for name in ("choice", "normal", "rand", "randint", "randn", "random", "uniform")}
)  # fmt: skip
UNSEEDED = frozenset({"numpy.random.default_rng", "random.Random"})
"""Generators that are the same each time only with a seed."""


def changing_calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of each call whose answer is another each time."""
    names = _imported(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        first, *rest = _dotted(node.func).split(".")
        name = ".".join([names.get(first, ""), *rest])
        if name in CHANGING or (name in UNSEEDED and not node.args and not node.keywords):
            yield node.lineno, name


def _imported(tree: ast.Module) -> dict[str, str]:
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.split(".")[0]] = one.name if one.asname else one.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
