"""Seeded mutants over pure modules: one small change each, and the tests that ought to see it.

`python -m tools.mutants --count 200 --seed 1 brokerage/domain -- tests/brokerage/domain` collects the tests once. For
each mutant a forked process changes one comparison, operator, whole number or condition in the body of a function, and
runs the tests of that module first. It prints every mutant that no test noticed; nothing is written to the tree. Tables
and defaults of modules and classes are not changed. A mutant that a test noticed by its timeout alone is told apart:
look at it, it may be slow and right. It ends with 1 if more survive than `--survivors`.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 600
NOT_INSTALLED = 3
"""How a child ends that could not change what it was to."""
TIMED_OUT = 4
"""How a child ends whose test was not done in its time."""
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module: its place in the order of the module's places, the line, and what was done."""

    path: Path
    place: int
    line: int
    change: str

    @property
    def module(self) -> str:
        """The module's name."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.change}"


def mutants(path: Path) -> list[Mutant]:
    """All mutants of a module, in order of their places."""
    tree = ast.parse(path.read_text())
    return [
        Mutant(path, place, node.lineno, change)
        for place, node in enumerate(_places(tree))
        if (change := _change(copy.deepcopy(node)))
    ]


def code(mutant: Mutant) -> CodeType:
    """The mutant's module, compiled."""
    tree = ast.parse(mutant.path.read_text())
    _change(next(node for place, node in enumerate(_places(tree)) if place == mutant.place))
    return compile(ast.fix_missing_locations(tree), str(mutant.path), "exec")


def _places(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Expressions and statements in bodies of functions, without annotations and messages of errors."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in node.body:
                yield from _within(inner)
        elif isinstance(node, ast.ClassDef):
            yield from _places(node)


def _within(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    if isinstance(node, ast.Raise | ast.JoinedStr):
        return
    if isinstance(node, ast.expr | ast.stmt):
        yield node
    for inner in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.AnnAssign) and inner is node.annotation):
            yield from _within(inner)


def _change(node: ast.expr | ast.stmt) -> str:
    """Change a node in place, and say how; empty: there is nothing to change in it."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARED:
            node.ops[0] = _COMPARED[type(op)]()
            return f"{type(op).__name__} -> {type(node.ops[0]).__name__}"
        case ast.BinOp(op=op) if type(op) in _COMPUTED:
            node.op = _COMPUTED[type(op)]()
            return f"{type(op).__name__} -> {type(node.op).__name__}"
        case ast.AugAssign(op=op) if type(op) in _COMPUTED:
            node.op = _COMPUTED[type(op)]()
            return f"{type(op).__name__}= -> {type(node.op).__name__}="
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
            return f"{type(op).__name__} -> {type(node.op).__name__}"
        case ast.UnaryOp(op=ast.Not() | ast.USub() as op):
            node.op = ast.UAdd()
            if isinstance(op, ast.Not):
                node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
                node.op = ast.Not()
                node.operand = ast.UnaryOp(ast.Not(), node.operand)
            return f"{type(op).__name__} dropped"
        case ast.Constant(value=bool() as value):
            node.value = not value
            return f"{value} -> {not value}"
        case ast.Constant(value=int() as value):
            node.value = value + 1
            return f"{value} -> {value + 1}"
        case ast.IfExp():
            node.body, node.orelse = node.orelse, node.body
            return "branches swapped"
        case ast.Name(id=name) if name in _NAMES:
            node.id = _NAMES[name]
            return f"{name} -> {node.id}"
    return ""


def install(mutant: Mutant) -> None:
    """Give the functions of the mutant's module, as they were imported, the changed code.

    Raises LookupError where there is none: the tests would pass whatever they test.
    """
    gc.unfreeze()  # what tests have frozen out of the collector's sight is out of ours
    found = False
    codes = {one.co_qualname: one for one in _functions(code(mutant))}
    for made in gc.get_objects():
        if isinstance(made, FunctionType) and made.__module__ == mutant.module:
            changed = codes.get(made.__code__.co_qualname)
            if changed is not None and changed.co_freevars == made.__code__.co_freevars:
                found |= made.__code__ != changed
                made.__code__ = changed
    if not found:
        raise LookupError(f"{mutant}: nothing that was imported has changed")


def _functions(of: CodeType) -> Iterator[CodeType]:
    for constant in of.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _functions(constant)


class Trials:
    """A pytest session that runs its tests once as they are, and then against each mutant."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.left: list[Mutant] = []
        self._mutants = mutants
        self._failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that failed has noticed."""
        if report.failed:
            self._failed = TIMED_OUT if "from pytest-timeout" in report.longreprtext else 1

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of running the tests."""
        if session.testsfailed or self._noticed(None, session.items):
            sys.exit("the tests fail without any mutant")
        gc.unfreeze()  # what the tests froze is in no list of objects: no function would be found, and all survive
        known = {made.__module__ for made in gc.get_objects() if isinstance(made, FunctionType)}
        if missing := {mutant.module for mutant in self._mutants} - known:
            sys.exit(f"no test has imported {', '.join(sorted(missing))}: its mutants would all survive")
        for number, mutant in enumerate(self._mutants, 1):
            noticed = self._noticed(mutant, nearest(mutant, session.items))
            self.left += [] if noticed else [mutant]
            said = f"{number}/{len(self._mutants)} {noticed or 'SURVIVED'} {mutant}"
            os.write(1, f"{said}\n".encode())
        return True

    def _noticed(self, mutant: Mutant | None, items: Sequence[pytest.Item]) -> str:
        """How a test notices a mutant, or fails as it is: "noticed", "TIMED OUT". Empty: none does."""
        child = os.fork()
        if not child:
            try:
                if mutant is not None:
                    install(mutant)
                self._run(items)
            except LookupError as error:
                os.write(2, f"{error}\n".encode())
                os._exit(NOT_INSTALLED)
            finally:
                os._exit(self._failed)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done and os.waitstatus_to_exitcode(status) == NOT_INSTALLED:
                sys.exit(f"{mutant} is in no module that the tests import")
            if done:
                return "TIMED OUT" if os.waitstatus_to_exitcode(status) == TIMED_OUT else "noticed" if status else ""
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "TIMED OUT"

    def _run(self, items: Sequence[pytest.Item]) -> None:
        self._failed = 1
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        self._failed = 0
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self._failed:
                return


def nearest(mutant: Mutant, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Tests of the module's own name first, then of its folder, then all others."""
    inside = mutant.path.relative_to(ROOT)
    beside = ROOT / "tests" / inside.parent

    def distance(item: pytest.Item) -> int:
        if item.path == beside / f"test_{inside.name}":
            return 0
        return 1 if beside in item.path.parents else 2

    return sorted(items, key=distance)


def main() -> int:
    """Make the mutants, test each, and say which survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--survivors", type=int, default=0)
    parser.add_argument("paths", nargs="+", help="modules, folders of modules, then -- and the tests")
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    options, tests = parser.parse_args(given[:cut]), given[cut + 1 :]
    files = [file for path in options.paths for file in _files(ROOT / path)]
    made = [mutant for file in files for mutant in mutants(file)]
    chosen = random.Random(options.seed).sample(made, min(options.count, len(made)))
    trials = Trials(chosen)
    plain = ["-q", "-p", "no:cacheprovider", *tests]
    if pytest.main(plain, plugins=[trials]):
        return 2
    sys.stdout.write(f"{len(chosen)} mutants of {len(made)}, {len(trials.left)} survived\n")
    return int(len(trials.left) > options.survivors)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*.py") if file.name != "__init__.py")


if __name__ == "__main__":
    sys.exit(main())
