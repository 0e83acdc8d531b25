"""Strategies in files: import one, find the class, say plainly what is wrong with it."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Strategy


def load_strategy(place: str) -> type[Strategy]:
    """The class named by "path/to/file.py" or "path/to/file.py:Class".

    Raises InvalidRequest: E_STRATEGY_FILE (no such file, or it fails when imported), E_STRATEGY_CLASS (none, or which).
    """
    path, name = _split(place)
    if not path.is_file():
        raise InvalidRequest("E_STRATEGY_FILE", f"{path} is not a file, want path/to/strategy.py[:Class]")
    found = {kind.__name__: kind for kind in _strategies(path)}
    if name:
        if name not in found:
            known = ", ".join(found) or "none"
            raise InvalidRequest("E_STRATEGY_CLASS", f"{path} has no Strategy named {name}; it has {known}")
        return found[name]
    if not found:
        raise InvalidRequest("E_STRATEGY_CLASS", f"{path} defines no subclass of qmtl.sdk.Strategy")
    if len(found) > 1:
        choice = next(iter(found))
        hint = f"name one: {path}:{choice}"
        raise InvalidRequest("E_STRATEGY_CLASS", f"{path} defines {', '.join(found)}", hint=hint)
    return next(iter(found.values()))


def absolute_place(place: str) -> str:
    """The same file and class, from wherever it is looked at."""
    path, name = _split(place)
    return f"{path.resolve()}:{name}" if name else str(path.resolve())


def _split(place: str) -> tuple[Path, str]:
    path, colon, name = place.rpartition(":")
    return (Path(path), name) if colon and name.isidentifier() and not Path(place).exists() else (Path(place), "")


def _strategies(path: Path) -> list[type[Strategy]]:
    """Subclasses the file itself defines, in its order; its folder is importable as when it is run."""
    name = path.stem
    if name in sys.modules:
        name = f"{name}_{abs(hash(path.resolve())):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidRequest("E_STRATEGY_FILE", f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = next(
            (
                frame.lineno
                for frame in reversed(traceback.extract_tb(error.__traceback__))
                if frame.filename == str(path)
            ),
            None,
        )
        where = f"{path}:{line}" if line else str(path)
        raise InvalidRequest("E_STRATEGY_FILE", f"{where}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Strategy)]
    return [kind for kind in dict.fromkeys(kinds) if kind.__module__ == name]
