"""Rules that are seen in the text of a project's files: nothing of the author's is run."""

from __future__ import annotations

import ast
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from qmtl.core.errors import QmtlError
from qmtl.project.layers import FACTS, Layer, below, missing
from qmtl.project.project_file import BASE_FILE, PROJECT_FILE, ProjectFile
from qmtl.project.secret_shapes import secret_in
from qmtl.project.selection import lacking, selected_before
from qmtl.project.shelf import Shelf
from qmtl.project.validation.clock import changing_calls
from qmtl.project.validation.finding import Finding

SCANNED_BYTES_MAX = 1024 * 1024
DECIDING = (Layer.DATA, Layer.SIGNAL, Layer.EXECUTION)
"""Layers whose values a strategy trades by."""
_SKIPPED = frozenset({".git", ".venv", ".qmtl", ".qmtl-stage", ".qmtl-backup", "__pycache__"})


def source_findings(folder: Path, project: ProjectFile, shelf: Shelf, running: str) -> Iterator[Finding]:
    """Every finding of the rules of this file, rule by rule."""
    layers = tuple(layer for layer in Layer if layer in project.templates)
    yield from map(_absent_layer, missing(layers))
    yield from _templates(project, shelf, running)
    for layer in layers:
        yield from _function(folder, layer)
    yield from _imports(folder)
    yield from _clock(folder)
    yield from _secrets(folder)
    yield from _live_guard(folder)


def _templates(project: ProjectFile, shelf: Shelf, running: str) -> Iterator[Finding]:
    try:
        selection = selected_before(shelf, project, running)
    except QmtlError as error:
        yield Finding("templates", PROJECT_FILE, 0, error.message, "templates that are installed", error.hint)
        return
    absent_layers = set(lacking(selection.all_templates)).difference(missing(selection.templates))
    yield from map(_absent_layer, sorted(absent_layers))
    for template in selection.all_templates:
        for extra in template.facts.extras:
            for name in _absent(extra):
                hint = f"pip install 'qmtl[{extra}]'"
                yield Finding("extras", "pyproject.toml", 0, f"{name} is not installed", f"what {template.facts.key} "
                              "uses", hint)  # fmt: skip


def _absent_layer(layer: Layer) -> Finding:
    hint = f"qmtl project layer add {layer}"
    return Finding("layers_complete", PROJECT_FILE, 0, f"no layer {layer}", "every layer that another needs", hint)


def _absent(extra: str) -> Iterator[str]:
    for text in requires("qmtl") or []:
        requirement = Requirement(text)
        if requirement.marker and "extra" in text and requirement.marker.evaluate({"extra": extra}):
            try:
                installed = version(requirement.name)
            except PackageNotFoundError:
                yield requirement.name
                continue
            if not requirement.specifier.contains(installed, prereleases=True):
                yield f"{requirement.name} {requirement.specifier}"


def _function(folder: Path, layer: Layer) -> Iterator[Finding]:
    facts = FACTS[layer]
    path = folder / "layers" / layer / "__init__.py"
    where = f"layers/{layer}/__init__.py"
    want = f"def {facts.function}({', '.join(facts.arguments)})"
    tree = _tree(path)
    if isinstance(tree, Finding):
        yield Finding("layer_function", where, tree.line, tree.found, want)
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == facts.function:
            given = tuple(argument.arg for argument in [*node.args.posonlyargs, *node.args.args])
            unknown = node.args.vararg or None in node.args.kw_defaults  # a keyword with a default is the author's own
            if given != facts.arguments or unknown:
                yield Finding("layer_function", where, node.lineno, f"def {node.name}({', '.join(given)})", want)
            return
        if isinstance(node, ast.ImportFrom) and any(one.asname or one.name == facts.function for one in node.names):
            return
    yield Finding("layer_function", where, 0, "no such function", want)


def _tree(path: Path) -> ast.Module | Finding:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return Finding("", "", 0, type(error).__name__, "")
    except SyntaxError as error:
        return Finding("", "", error.lineno or 0, f"{error.msg}", "")


def _imports(folder: Path) -> Iterator[Finding]:
    for layer in Layer:
        allowed = {layer, *below(layer)}
        for path in sorted((folder / "layers" / layer).rglob("*.py")):
            tree = _tree(path)
            if isinstance(tree, Finding):
                continue
            for line, name in _imported(tree, len(path.relative_to(folder).parts) - 1):
                other = name.removeprefix("layers.").split(".")[0]
                if other in set(Layer) and other not in allowed:
                    want = f"imports of {', '.join(below(layer)) or 'no other layer'} only"
                    yield Finding("imports", str(path.relative_to(folder)), line, f"{layer} imports {other}", want)


def _clock(folder: Path) -> Iterator[Finding]:
    layers = [path for layer in DECIDING for path in sorted((folder / "layers" / layer).rglob("*.py"))]
    for path in (folder / "strategy.py", *layers):
        tree = _tree(path)
        for line, name in changing_calls(tree) if isinstance(tree, ast.Module) else ():
            want = "what the bars and a seed say, which is the same again"
            yield Finding("clock", str(path.relative_to(folder)), line, f"{name}()", want, error=False)


def _imported(tree: ast.Module, depth: int) -> Iterator[tuple[int, str]]:
    """Names of modules below `layers` that are imported, with the line; `depth`: folders above the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names if one.name.startswith("layers."))
        elif isinstance(node, ast.ImportFrom):
            absolute = not node.level and (node.module or "").split(".")[0] == "layers"
            relative = node.level == depth  # `from ..signal import x` in a file of layers/data
            if absolute or relative:
                module = (node.module or "").removeprefix("layers").lstrip(".")
                yield from ((node.lineno, f"layers.{module or one.name}") for one in node.names)


def _secrets(folder: Path) -> Iterator[Finding]:
    for path in _tracked(folder):
        if not path.is_file() or path.stat().st_size > SCANNED_BYTES_MAX or path.name == BASE_FILE:
            continue
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1):
            kind = secret_in(line)
            if kind:
                hint = "take it out of the file and of the history; name a file or a variable of the environment"
                yield Finding("E_SECRET_IN_FILE", str(path.relative_to(folder)), number, kind, "no secret", hint)


def _tracked(folder: Path) -> Iterable[Path]:
    git = shutil.which("git")
    if git is not None:
        asked = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return [folder / line for line in sorted(done.stdout.split("\0")) if line]
    return [path for path in sorted(folder.rglob("*")) if not _SKIPPED.intersection(path.relative_to(folder).parts)]


def _live_guard(folder: Path) -> Iterator[Finding]:
    path = folder / "layers" / Layer.BROKERAGE / "brokerage.toml"
    if not path.is_file():
        return
    where = str(path.relative_to(folder))
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield Finding("live_guard", where, 0, str(error), "a TOML file")
        return
    if document.get("live_guard") is not True:
        yield Finding("live_guard", where, 0, f"live_guard is {document.get('live_guard')!r}", "true")
    if document.get("allow_live") is not False and not document.get("allow_live_reason"):
        found = f"allow_live is {document.get('allow_live')!r}"
        yield Finding("live_guard", where, 0, found, "false, or true beside an allow_live_reason")
