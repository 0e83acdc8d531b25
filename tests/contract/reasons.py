"""Where reasons of errors stand in the source, read from its syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from google.rpc import code_pb2

from qmtl.common.v1 import options_pb2 as optionspb
from qmtl.common.v1 import reasons_pb2 as reasonspb
from qmtl.rpc.status import CODES

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("qmtl/", "controlbus/", "dagmanager/", "worldservice/", "gateway/", "brokerage/", "seamless/")
REASON = re.compile(r"\bE_[A-Z0-9_]*[A-Z0-9]\b")
BEGINNING = re.compile(r"\bE_")
CLASSES = {cls.__name__: code.name for cls, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Use:
    """One place that names a reason; `code` is set where an error is made of it, `keys` are its literal metadata."""

    reason: str
    place: str
    compared: bool
    code: str = ""
    keys: tuple[str, ...] = ()


def registered() -> dict[str, optionspb.ReasonRule]:
    """The rules of the registry, by reason."""
    values = reasonspb.Reason.DESCRIPTOR.values
    return {
        value.name.replace("REASON_", "E_", 1): value.GetOptions().Extensions[optionspb.rule]  # type: ignore[index]  # protoc's stubs lose the extension's type
        for value in values
        if value.number
    }


def code_name(rule: optionspb.ReasonRule) -> str:
    """The gRPC code of a rule, as grpc spells it."""
    return str(code_pb2.Code.Name(rule.code))


def files(*folders: str) -> list[Path]:
    """The committed Python files below the folders."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split() if name.startswith(folders) and (ROOT / name).exists()]


@cache
def uses() -> tuple[Use, ...]:
    """Every text that is a reason, and every text a reason would be composed of."""
    return tuple(use for path in files(*ROOMS) for use in _uses_in(path))


def _uses_in(path: Path) -> Iterator[Use]:
    source = path.read_text()
    if not BEGINNING.search(source):
        return
    parents = {child: node for node in ast.walk(ast.parse(source)) for child in ast.iter_child_nodes(node)}
    for node in parents:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.fullmatch(node.value):
            yield _use(node, node.value, parents, f"{path.relative_to(ROOT)}:{node.lineno}")


def _use(node: ast.AST, reason: str, parents: dict[ast.AST, ast.AST], place: str) -> Use:
    parent = parents[node]
    if isinstance(parent, ast.Compare):
        return Use(reason, place, compared=True)
    if isinstance(parent, ast.Call) and parent.args and parent.args[0] is node:
        return Use(reason, place, compared=False, code=CLASSES.get(_called(parent.func), ""), keys=_keys(parent))
    return Use(reason, place, compared=False)


def _called(func: ast.expr) -> str:
    """The last name of what is called; "" for what has none."""
    match func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _keys(call: ast.Call) -> tuple[str, ...]:
    given = [word.value for word in call.keywords if word.arg == "metadata"]
    return tuple(
        key.value
        for value in given
        for table in ast.walk(value)
        if isinstance(table, ast.Dict)
        for key in table.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    )


def named_in_tests() -> set[str]:
    """The reasons that some test expects: in a text that is no docstring, and not of an error that a test raises."""
    named: set[str] = set()
    for path in files("tests/"):
        source = path.read_text()
        if not BEGINNING.search(source):
            continue
        tree = ast.parse(source)
        passed = {id(text) for node in ast.walk(tree) for text in _said(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
                named |= set(REASON.findall(node.value))
    return named


def _said(node: ast.AST) -> Iterator[ast.AST]:
    """The texts of a node that expect nothing: a statement of its own, the reason of an error that is made."""
    if isinstance(node, ast.Expr):
        yield node.value
    if isinstance(node, ast.Call) and node.args:
        match node.func:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in CLASSES:
                yield node.args[0]
