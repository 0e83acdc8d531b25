"""Rules that are seen when a project's strategy is built: the author's code runs here, in a process of its own.

    python -m qmtl.project.validation.running whole FOLDER SCRATCH

writes its findings and the strategy's NodeIDs into SCRATCH/result.json; `again` writes the NodeIDs of another build.
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
from qmtl.project.validation.finding import RESULT, Finding
from qmtl.project.validation.guard import guard
from qmtl.sdk import AccountTerms, SemanticKind, Strategy, StreamInput, Vertex
from qmtl.sdk.repeatability.sample import sample_bars
from qmtl.sdk.research.look_ahead import find_look_ahead
from qmtl.sdk.strategy.assembly import Assembled, assemble

TRADED = (SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE)
DECISIONS = (SemanticKind.DECISION_VALUE, SemanticKind.CAUSAL_STREAM)


def built(folder: Path, scratch: Path) -> dict[str, object]:
    """What the layers return, whether the strategy builds, repeats itself and looks only back; its NodeIDs.

    `scratch`: the one folder that the author's code may write into.
    """
    guard(scratch)
    sys.path.insert(0, str(folder))
    try:
        found = list(_kinds())
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        found = [_raised("layer_kinds", folder, error)]
    ids: list[str] = []
    try:
        found += _strategy(ids)
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        found.append(_raised("strategy", folder, error))
    return {"findings": [one.document for one in found], "node_ids": ids}


def rebuilt(folder: Path, scratch: Path) -> dict[str, object]:
    """NodeIDs alone. Raises whatever the author's code raises."""
    guard(scratch)
    sys.path.insert(0, str(folder))
    return {"findings": [], "node_ids": _ids(assemble(_kind_of_strategy()[0]()))}


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
    elif layer is Layer.BROKERAGE and not isinstance(value, AccountTerms):
        yield Finding("layer_kinds", file, 0, f"profile() returns {_shown(value)}", "AccountTerms")
    elif layer is Layer.MONITORING and not _names(value):
        yield Finding("layer_kinds", file, 0, f"monitors() returns {_shown(value)}", "names of metrics")


def _names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _strategy(ids: list[str]) -> Iterator[Finding]:
    kinds = _kind_of_strategy()
    if len(kinds) != 1:
        yield Finding("strategy", "strategy.py", 0, f"{len(kinds)} subclasses of Strategy", "one")
        return
    first, second = assemble(kinds[0]()), assemble(kinds[0]())
    ids += _ids(first)
    if ids != _ids(second):
        yield Finding("node_ids", "strategy.py", 0, "two builds have other NodeIDs", "the same from the same code")
        return
    for leak in find_look_ahead(first.dag, sample_bars(first.dag)):
        yield Finding("look_ahead", "strategy.py", 0, f"{leak.node} changes with its future", "values of the past only",
                      "qmtl check strategy.py")  # fmt: skip


def _kind_of_strategy() -> list[type[Strategy]]:
    module = importlib.import_module("strategy")
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Strategy) and one.__module__ == module.__name__
    ]


def _ids(assembled: Assembled) -> list[str]:
    return sorted(node.node_id for node in assembled.dag.nodes)


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
    """Write what a build came to into the scratch folder."""
    how, folder, scratch = BUILDS[sys.argv[1]], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    result = json.dumps(how(folder, scratch))
    (scratch / RESULT).write_text(result, encoding="utf-8")


BUILDS = {"whole": built, "again": rebuilt}

if __name__ == "__main__":
    main()
