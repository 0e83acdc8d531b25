"""Rules that are seen when a project's strategy is built: the author's code runs here, in a process of its own.

    python -m qmtl.project.validation.running FOLDER

prints its findings as one line of JSON. It opens no connection: the interpreter refuses it to.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from qmtl.core.errors import QmtlError
from qmtl.project.layers import FACTS, Layer
from qmtl.project.validation.finding import Finding
from qmtl.sdk import Node, SemanticKind, Strategy, StreamInput, Vertex
from qmtl.sdk.research.look_ahead import find_look_ahead
from qmtl.sdk.research.sample import sample_bars
from qmtl.sdk.strategy.assembly import Assembled, assemble

TRADED = (SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE)
DECISIONS = (SemanticKind.DECISION_VALUE, SemanticKind.CAUSAL_STREAM)
_NETWORK = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})


def running_findings(folder: Path) -> list[Finding]:
    """What the layers return, and whether the strategy builds, repeats itself and looks only back."""
    sys.addaudithook(_no_network)
    sys.path.insert(0, str(folder))
    try:
        found = list(_kinds())
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        found = [_raised("layer_kinds", folder, error)]
    try:
        return found + list(_strategy())
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        return [*found, _raised("strategy", folder, error)]


def _no_network(event: str, _: object) -> None:
    if event in _NETWORK:
        raise PermissionError("a strategy that is built opens no connection")


def _kinds() -> Iterator[Finding]:
    modules = {layer: f"layers.{layer}" for layer in Layer if Path(sys.path[0], "layers", layer).is_dir()}
    results: dict[str, object] = {}
    for layer, name in modules.items():
        facts = FACTS[layer]
        function = getattr(importlib.import_module(name), facts.function, None)
        if function is None:
            continue  # the rule of the text says so
        results[facts.function] = value = function(*(results[argument] for argument in facts.arguments))
        yield from _kind(layer, value)


def _kind(layer: Layer, value: object) -> Iterator[Finding]:
    file = f"layers/{layer}/__init__.py"
    if layer is Layer.DATA:
        if not isinstance(value, Mapping) or not all(isinstance(one, StreamInput) for one in value.values()):
            yield Finding("layer_kinds", file, 0, f"inputs() returns {_shown(value)}", "a dict of StreamInput by name")
    elif layer is Layer.SIGNAL:
        if not isinstance(value, Mapping):
            yield Finding("layer_kinds", file, 0, f"signals() returns {_shown(value)}", "a dict of nodes by name")
            return
        for name, node in value.items():
            if not isinstance(node, Vertex) or node.kind not in DECISIONS:
                found = f"signals()[{name!r}] is {_shown(node)}"
                yield Finding("layer_kinds", file, 0, found, "a decision, or a causal stream that execution sizes")
    elif layer is Layer.EXECUTION and not (isinstance(value, Vertex) and value.kind in TRADED):
        yield Finding("layer_kinds", file, 0, f"orders() returns {_shown(value)}", "a decision of what to hold")


def _strategy() -> Iterator[Finding]:
    module = importlib.import_module("strategy")
    kinds = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Strategy) and one.__module__ == module.__name__
    ]
    if len(kinds) != 1:
        yield Finding("strategy", "strategy.py", 0, f"{len(kinds)} subclasses of Strategy", "one")
        return
    first, second = assemble(kinds[0]()), assemble(kinds[0]())
    if _ids(first) != _ids(second):
        yield Finding("node_ids", "strategy.py", 0, "two builds have other NodeIDs", "the same from the same code")
        return
    for leak in find_look_ahead(first.dag, sample_bars(first.dag)):
        yield Finding("look_ahead", "strategy.py", 0, f"{leak.node} changes with its future", "values of the past only",
                      "qmtl check strategy.py")  # fmt: skip


def _ids(assembled: Assembled) -> list[str]:
    return sorted(node.node_id for node in assembled.dag.nodes if isinstance(node, Node | StreamInput))


def _shown(value: object) -> str:
    return value.kind.value if isinstance(value, Vertex) else type(value).__name__


def _raised(rule: str, folder: Path, error: Exception) -> Finding:
    inside = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)
    ]
    file = str(Path(inside[-1].filename).relative_to(folder)) if inside else "strategy.py"
    hint = error.hint if isinstance(error, QmtlError) else ""
    return Finding(
        rule, file, (inside[-1].lineno or 0) if inside else 0, f"{type(error).__name__}: {error}", "no error", hint
    )


def main() -> None:
    """Print the findings of a folder."""
    found = running_findings(Path(sys.argv[1]).resolve())
    sys.stdout.write("\n" + json.dumps([one.document for one in found]) + "\n")


if __name__ == "__main__":
    main()
