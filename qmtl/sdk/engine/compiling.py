"""Plain functions compiled by numba, with what they call; what was compiled is kept on disk where that can be written.

fastmath stays off, in one thread. What is kept is named by a digest of the code of every function that went into it and
of all values they name, so that no change of any of them finds an older result; where a value has no such text, nothing
is kept. What is kept is run as it is read: a folder that others can write, or that cannot be written, is not used, and
a file that cannot be read is as none. That costs the compiling, no more.

Compiling pays once so much was done without it as it costs: `Work` counts that, by function, in this process.
"""

from __future__ import annotations

import contextlib
import dis
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, cast

import numpy as np

KEPT_IN = "QMTL_COMPILED_DIR"
"""The variable that names the folder of what was compiled; else it is in the user's cache folder."""

_NUMBERS = frozenset({"math", "cmath", "numpy"})
"""Modules whose members are what they are: of others numba reads the values once, when it compiles."""


class _Unnamed(Exception):
    """A value that no text says whole."""


class Work:
    """A function in this process: what was made of it, and how much it did in Python, in units of its caller."""

    __slots__ = ("amount", "made")

    def __init__(self) -> None:
        self.made: Callable[..., Any] | None = None
        self.amount = 0


@lru_cache(maxsize=256)
def work_of(function: Callable[..., Any], **named: Callable[..., Any]) -> Work:
    """The work of a function with those it calls by name."""
    return Work()


def compiled(function: Callable[..., Any], **named: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function compiled, with the plain functions it calls by name. The originals stay as they are.

    `named` are functions that it calls by names of its own.
    """
    work = work_of(function, **named)
    if work.made is None:
        work.made = _compiled(function, named)
    return work.made


def _rooted(function: Callable[..., Any], named: dict[str, Callable[..., Any]]) -> FunctionType:
    """The function with what it calls by names of its own."""
    root = _plain(function)
    if named:
        scope = {**root.__globals__, **{name: _plain(one) for name, one in named.items()}}
        root = FunctionType(root.__code__, scope, root.__name__, root.__defaults__, root.__closure__)
    return root


def _compiled(function: Callable[..., Any], named: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    root = _rooted(function, named)
    stub = _stub(root)
    if stub is not None:
        try:
            return _jitted(root, stub, kept=True)
        except (OSError, RuntimeError):  # numba finds no folder of its own beside it
            pass
    return _jitted(root, "", kept=False)


def is_kept(function: Callable[..., Any], **named: Callable[..., Any]) -> bool:
    """Whether a function was compiled before and is on disk: loading it takes a tenth of the time."""
    stub = _stub(_rooted(function, named))
    folder = os.environ.get("NUMBA_CACHE_DIR") or (stub and Path(stub).parent / "__pycache__")
    return bool(stub and folder) and any(Path(str(folder)).rglob(f"{Path(str(stub)).stem}*.nbi"))


def _plain(function: Callable[..., Any]) -> FunctionType:
    if not isinstance(function, FunctionType):
        raise TypeError(f"function is {function!r}, want a plain function")
    return function


def _jitted(function: FunctionType, stub: str, *, kept: bool, called_by_python: bool = True) -> Callable[..., Any]:
    """A function compiled. `called_by_python` False: compiled code alone calls it, which is made sooner."""
    import numba

    scope = function.__globals__
    helpers = {name: _helper(scope[name]) for name in _names(function.__code__) if _is_plain(scope.get(name))}
    code = function.__code__.replace(co_filename=stub) if stub else function.__code__
    copy = FunctionType(code, {**scope, **helpers}, function.__name__, function.__defaults__, function.__closure__)
    options: Any = {} if called_by_python else {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made: Any = numba.njit(fastmath=False, parallel=False, cache=kept, **options)(copy)
    if kept and not isinstance(made, FunctionType):  # it is one where numba is switched off
        made._cache = _forgiving(made.py_func)
    return cast("Callable[..., Any]", made)


def _forgiving(function: FunctionType) -> Any:
    """What numba, which is untyped, keeps of a function, where a file that cannot be read or written is as none."""
    from numba.core.caching import FunctionCache

    class Forgiving(FunctionCache):
        def load_overload(self, sig: Any, target_context: Any) -> Any:
            with contextlib.suppress(Exception):  # whatever a broken pickle raises
                return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
            return None

        def save_overload(self, sig: Any, data: Any) -> None:
            with contextlib.suppress(Exception):
                super().save_overload(sig, data)  # type: ignore[no-untyped-call]

    return Forgiving(function)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1_024)
def _helper(function: FunctionType) -> Callable[..., Any]:
    return _jitted(function, "", kept=False, called_by_python=False)


def _is_plain(value: object) -> bool:
    return isinstance(value, FunctionType)


def _names(code: CodeType) -> Iterator[str]:
    """Globals that a function looks up, in the functions within it too."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _stub(function: FunctionType) -> str | None:
    """A file that stands for the code of a function and all it calls, where numba keeps what it made of it; None: its
    code cannot be named, or the folder is not ours to write.
    """
    try:
        name = _digest(function)
        file = _folder() / f"c{name[:32]}.py"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (file.parent / "__pycache__").mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(file.parent):
            return None
        if not file.exists():
            file.write_text(f"# {name}\n")
    except (OSError, RuntimeError, _Unnamed):  # a user without a home is a RuntimeError
        return None
    return str(file)


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can put code there."""
    if not hasattr(os, "geteuid"):
        return True
    named = os.environ.get("NUMBA_CACHE_DIR")
    places = [folder, folder / "__pycache__", *([Path(named)] if named else [])]
    found = [place.stat() for place in places if place.exists()]
    return all(one.st_uid == os.geteuid() and not one.st_mode & 0o022 for one in found)


@lru_cache(maxsize=1_024)
def _digest(function: FunctionType) -> str:
    """A name for the code of a function and of all it calls."""
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(f"{len(part)}:{part}".encode())
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
    kept = _text(function.__defaults__), _text(tuple(sorted((function.__kwdefaults__ or {}).items())))
    yield f"{function.__qualname__}{_code_text(function.__code__)}{kept}"
    for cell in function.__closure__ or ():
        held = cell.cell_contents
        yield from _parts(held, seen) if isinstance(held, FunctionType) else [_text(held)]
    for name in sorted(set(_names(function.__code__)) & function.__globals__.keys()):
        value = function.__globals__[name]
        yield from _parts(value, seen) if isinstance(value, FunctionType) else [f"{name}={_text(value)}"]


def _text(value: object) -> str:
    """A text that no other value has. Raises _Unnamed."""
    if value is None or isinstance(value, (int, float, complex, str, bytes)):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple):
        return f"{type(value).__name__}({','.join(_text(one) for one in value)})"
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return f"{value.dtype.str}{value.shape}{value.tobytes().hex()}"
    if isinstance(value, type) and issubclass(value, tuple):
        return f"{value.__qualname__}{getattr(value, '_fields', ())!r}"
    if isinstance(value, ModuleType) and value.__name__ in _NUMBERS:
        return value.__name__
    if isinstance(value, (BuiltinFunctionType, np.ufunc)):
        return f"{getattr(value, '__module__', '')}.{value.__name__}"
    raise _Unnamed


def _code_text(code: CodeType) -> str:
    constants = [_code_text(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()}{constants}{code.co_names}{code.co_varnames}"
