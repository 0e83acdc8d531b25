"""Bounds of the tree: lengths of files and functions, files of a folder, and names that are folders not made."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from tools.tree import BEGIN, END, PAGE, tree

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FOLDER_FILES_MAX = 14
SIBLINGS_MAX = 2


def sources() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split() if not name.startswith("gen/") and (ROOT / name).exists()]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert len(lengths) > 100
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = []
    for path in sources():
        if path.parent.name == "versions":  # a migration is a frozen list of columns, read once
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines}")
    assert long == []


def folders() -> dict[Path, list[str]]:
    """The modules of each folder, without packages' own."""
    found: dict[Path, list[str]] = defaultdict(list)
    for path in sources():
        if path.name != "__init__.py":
            found[path.parent.relative_to(ROOT)].append(path.stem)
    return found


def test_no_folder_has_more_than_fourteen_files() -> None:
    assert {str(folder): len(files) for folder, files in folders().items() if len(files) > FOLDER_FILES_MAX} == {}


def test_no_three_siblings_share_a_prefix() -> None:
    """Three files of one prefix are a folder that was not made. Tests are named after what they test."""
    shared = {
        f"{folder}/{prefix}_*": count
        for folder, files in folders().items()
        for prefix, count in Counter(_prefix(name) for name in files).items()
        if prefix and count >= SIBLINGS_MAX + 1
    }
    assert shared == {}


def _prefix(name: str) -> str:
    prefix, found, _ = name.removeprefix("test_").partition("_")
    return prefix if found else ""


def test_the_tree_of_the_architecture_page_is_that_of_the_folders() -> None:
    def names(text: str) -> list[str]:
        return [line.split()[0] for line in text.splitlines()]

    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert names(shown) == names(tree()), "python -m tools.tree writes it"


def test_a_logger_is_named_after_the_folder_of_its_module() -> None:
    """`qmtl.` and the folder, so that a line of the log says where it was written and a folder can be turned down."""
    named = [
        (path.relative_to(ROOT), name)
        for path in sources()
        if path.relative_to(ROOT).parts[0] not in ("tests", "tools", "bench", "examples", "clients")
        for name in _logger_names(parsed(path))
    ]
    assert len(named) > 20
    assert [(str(path), name) for path, name in named if name != _logger_name(path.parent)] == []


def _logger_names(module: ast.Module) -> list[str]:
    """The constant names that loggers are asked for by: `get_logger("a")` of structlog, `getLogger("a")` of logging."""
    return [
        str(name.value)
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in ("get_logger", "getLogger")
        for name in call.args
        if isinstance(name, ast.Constant)
    ]


def _logger_name(folder: Path) -> str:
    return ".".join(folder.parts if folder.parts[0] == "qmtl" else ("qmtl", *folder.parts))
