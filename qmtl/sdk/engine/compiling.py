"""Plain functions compiled by numba, with what they call; what was compiled is kept on disk where that can be written.

fastmath stays off, in one thread. What is kept is named by a digest of the code of every function that went into it, so
that no change of any of them finds an older result. A place that cannot be written costs the compiling, no more.
"""

from __future__ import annotations

import dis
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, cast

KEPT_IN = "QMTL_COMPILED_DIR"
"""The variable that names the folder of what was compiled; else it is in the user's cache folder."""


@lru_cache(maxsize=256)
def compiled(function: Callable[..., Any], **named: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function compiled, with the plain functions it calls by name. The originals stay as they are.

    `named` are functions that it calls by names of its own.
    """
    root = _plain(function)
    if named:
        scope = {**root.__globals__, **{name: _plain(one) for name, one in named.items()}}
        root = FunctionType(root.__code__, scope, root.__name__, root.__defaults__, root.__closure__)
    stub = _stub(root)
    if stub is not None:
        try:
            return _jitted(root, stub, kept=True)
        except (OSError, RuntimeError):  # numba finds no folder of its own beside it
            pass
    return _jitted(root, "", kept=False)


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether a function was compiled before and is on disk: loading it takes a tenth of the time."""
    stub = _stub(_plain(function))
    folder = os.environ.get("NUMBA_CACHE_DIR") or (stub and Path(stub).parent / "__pycache__")
    return bool(stub and folder) and any(Path(str(folder)).rglob(f"{Path(str(stub)).stem}*.nbi"))


def _plain(function: Callable[..., Any]) -> FunctionType:
    if not isinstance(function, FunctionType):
        raise TypeError(f"function is {function!r}, want a plain function")
    return function


def _jitted(function: FunctionType, stub: str, *, kept: bool) -> Callable[..., Any]:
    import numba

    scope = function.__globals__
    helpers = {name: _helper(scope[name]) for name in _names(function.__code__) if _is_plain(scope.get(name))}
    code = function.__code__.replace(co_filename=stub) if stub else function.__code__
    copy = FunctionType(code, {**scope, **helpers}, function.__name__, function.__defaults__, function.__closure__)
    return cast("Callable[..., Any]", numba.njit(fastmath=False, parallel=False, cache=kept)(copy))


@lru_cache(maxsize=1_024)
def _helper(function: FunctionType) -> Callable[..., Any]:
    return _jitted(function, "", kept=False)


def _is_plain(value: object) -> bool:
    return isinstance(value, FunctionType)


def _names(code: CodeType) -> Iterator[str]:
    """Globals that a function looks up, in the functions within it too."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _stub(function: FunctionType) -> str | None:
    """A file that stands for the code of a function and all it calls, where numba keeps what it made of it; None: the
    folder cannot be written.
    """
    name = _digest(function)
    file = _folder() / f"c{name[:32]}.py"
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"# {name}\n")
    except OSError:
        return None
    return str(file)


@lru_cache(maxsize=1_024)
def _digest(function: FunctionType) -> str:
    """A name for the code of a function and of all it calls."""
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(part.encode())
    return digest.hexdigest()


def _folder() -> Path:
    named = os.environ.get(KEPT_IN)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "qmtl" / "compiled"


def _parts(function: FunctionType, seen: set[int]) -> Iterator[str]:
    """The code of a function, of those it calls, and the values and tuples it names."""
    if id(function) in seen:
        return
    seen.add(id(function))
    yield f"{function.__qualname__}{_code_text(function.__code__)}{function.__defaults__!r}"
    for cell in function.__closure__ or ():
        held = cell.cell_contents
        yield from _parts(held, seen) if isinstance(held, FunctionType) else [repr(held)]
    for name in sorted(set(_names(function.__code__))):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType):
            yield from _parts(value, seen)
        elif isinstance(value, (int, float, str)):
            yield f"{name}={value!r}"
        elif isinstance(value, type) and issubclass(value, tuple):
            yield f"{name}{getattr(value, '_fields', ())!r}"


def _code_text(code: CodeType) -> str:
    constants = [_code_text(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()}{constants}{code.co_names}{code.co_varnames}"
