"""What other processes can import, found before they are started.

A process that is spawned imports the strategy's module by its name, and first runs the top of the script again, as
`__mp_main__`. So a class of a notebook cannot be found there, and a script that calls `sweep` at its top would start
processes for ever.
"""

from __future__ import annotations

import ast
import inspect
import io
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

from qmtl.core.errors import refused

MAIN = "__main__"
WANT = "a class or function at the top of a module that they can import"
GUARD = 'under `if __name__ == "__main__":`'


def check_importable(make: Callable[..., object], *, script: bool) -> None:
    """Refuse a `make` that other processes cannot import. `script`: whether they run the top of this script too.

    Raises InvalidRequest (E_FIELD), before any process is started.
    """
    names = _main_names(make)
    path = _script()
    if script and path is not None and not path.is_file():
        value = f"started from {path}, which is no file that processes of their own can run again"
        raise refused("E_FIELD", "workers", value, "a script that is a file, or workers=0")
    if names and not (script and path):
        where = "a script" if path else "a notebook, a prompt or a text"
        raise refused("E_FIELD", "make", f"{', '.join(names)} of {where}, which other processes cannot import", WANT)
    if not script or path is None:
        return
    tree = _tree(path)
    if tree is None:
        return
    for name in names:
        if name.split(".")[0] not in _defined(tree):
            value = f"{name}, which is not at the top of {path.name}, so that other processes cannot import it"
            raise refused("E_FIELD", "make", value, WANT)
    if any(not _guarded(tree, line) for line in _main_lines()):
        value = f"started from the top of {path.name}, which every process of its own runs again"
        raise refused("E_FIELD", "workers", value, f"the call {GUARD}, or workers=0")


class _Collecting(pickle.Pickler):
    """Pickles, and remembers which classes and functions of the main module are named in it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.names: list[str] = []

    def reducer_override(self, found: object) -> Any:
        if isinstance(found, type | FunctionType) and found.__module__ == MAIN:
            self.names.append(found.__qualname__)
        return NotImplemented


def _main_names(make: Callable[..., object]) -> list[str]:
    collecting = _Collecting()
    try:
        collecting.dump(make)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise refused("E_FIELD", "make", f"{make!r}, which other processes cannot import ({error})", WANT) from None
    return collecting.names


def _script() -> Path | None:
    """The file of the main module, which a spawned process runs again; None for a prompt, a text or a notebook."""
    file = getattr(sys.modules[MAIN], "__file__", None)
    return Path(file) if file else None


def _tree(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # compiled, or gone: the processes will tell
        return None


def _defined(tree: ast.Module) -> set[str]:
    """Names that the top of a module has, when it is run as another than the main one."""
    found: set[str] = set()
    for statement in _statements(tree.body):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            found.update(alias.asname or alias.name.split(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.Assign):
            found.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those of its branches too."""
    for statement in body:
        if _is_guard(statement):
            continue
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))


def _is_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(statement.test)
    )


def _guarded(tree: ast.Module, line: int) -> bool:
    return any(
        _is_guard(statement) and statement.lineno <= line <= (statement.end_lineno or statement.lineno)
        for statement in tree.body
    )


def _main_lines() -> Iterator[int]:
    """Lines of the main module's top that are being run now."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals is vars(sys.modules[MAIN]):
            yield frame.f_lineno
        frame = frame.f_back
