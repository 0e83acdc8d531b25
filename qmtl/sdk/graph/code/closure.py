"""code_hash: what a compute function does, as one hash that every supported Python agrees on.

It covers the function and, transitively, the project functions it reads, with the JSON values of the
globals, defaults and closure cells they use. The standard library and installed distributions count by
dotted name, without version. What cannot be captured is refused by name, never left out.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import importlib.util
import inspect
import site
import sys
import sysconfig
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path

from blake3 import blake3

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json, canonical_json
from qmtl.core.identity.keys import declared_code
from qmtl.sdk.graph.code.determinism import PROJECT, check_amount, check_determinism, count_numbers
from qmtl.sdk.graph.code.syntax import Chain, FunctionNode, find_function, free_chains, imported_in, normal_form

OWN_PACKAGE = __name__.partition(".")[0]
_DYNAMIC = frozenset({"eval", "exec", "compile", "globals", "locals", "__import__"})


def code_hash(fn: Callable[..., object], *, code_version: str = "") -> str:
    """The code_hash of a compute function: "py1:<64 hex>", or "ver:<text>" if the author states a version.

    Call it when the DAG is built, not while the module is still being imported: helpers defined
    further down must exist. Raises InvalidRequest: E_CODE_NOT_CAPTURABLE naming what cannot be captured; E_WALL_CLOCK,
    E_NOT_DETERMINISTIC, E_DATA_IN_CODE for what depends on more than the node's inputs.
    """
    if code_version:  # what can be seen is judged all the same
        judged = _Capture(judging=True)
        judged.judge_object(fn.__self__ if isinstance(fn, types.MethodType) else fn, _name_of(fn))
        judged.reference(fn.__func__ if isinstance(fn, types.MethodType) else fn, (_name_of(fn),), "compute")
        return declared_code(code_version)
    capture = _Capture()
    root = capture.reference(fn, (_name_of(fn),), "compute")
    try:
        form = canonical_json({"root": root, "functions": capture.functions})
    except InvalidRequest as error:
        raise _refused(_name_of(fn), "compute", f"holds {error.message}") from error
    return "py1:" + blake3(form).hexdigest()


class _Capture:
    """The walk over one function's closure; `functions` is in order of first meeting.

    `judging`: what cannot be captured is passed by, as only what is forbidden matters.
    """

    def __init__(self, *, judging: bool = False) -> None:
        self._judging = judging
        self.functions: list[Json] = []
        self._numbers = 0
        self._met: dict[int, int] = {}
        self._alive: list[types.FunctionType] = []

    def reference(self, value: object, chain: Chain, user: str) -> Json:
        """How a captured value appears in the hash; `chain` are the attributes read from it, its name first."""
        try:
            return self._reference(value, chain, user)
        except _NotCapturable:
            if not self._judging:
                raise
            return None

    def judge_object(self, value: object, name: str) -> None:
        """Judge what a callable object holds, and how it is called. Raises InvalidRequest (E_DATA_IN_CODE)."""
        if isinstance(value, types.FunctionType | functools.partial) or not hasattr(value, "__dict__"):
            return
        self._numbers += sum(count_numbers(each) for each in vars(value).values())
        check_amount(self._numbers, name, "compute")
        called = inspect.getattr_static(type(value), "__call__", None)
        if isinstance(called, types.FunctionType):
            self.reference(called, (name,), "compute")

    def _reference(self, value: object, chain: Chain, user: str) -> Json:
        if isinstance(value, types.ModuleType):
            return self._module(value, chain, user)
        if isinstance(value, types.FunctionType):
            return self._function(value, chain, user)
        if isinstance(value, (type, types.BuiltinFunctionType)):
            return _library_name(value, chain, user)
        if isinstance(value, functools.partial):
            return self._partial(value, chain, user)
        if callable(value) and isinstance(inner := inspect.unwrap(value), types.FunctionType):
            return self._wrapped(inner, chain, user)
        self._numbers += count_numbers(value)
        check_amount(self._numbers, chain[0], user)
        return _json_value(value, chain, user)

    def _module(self, module: types.ModuleType, chain: Chain, user: str) -> Json:
        if is_library(module.__name__):
            return ["ref", module.__name__]
        if len(chain) < 2:
            raise _refused(chain[0], user, "is a module of the project used as a value")
        members = vars(module)
        if chain[1] not in members:
            raise _refused(".".join(chain[:2]), user, "is not defined")
        return self.reference(members[chain[1]], (".".join(chain[:2]), *chain[2:]), user)

    def _function(self, fn: types.FunctionType, chain: Chain, user: str) -> Json:
        if is_library(fn.__module__ or ""):
            return _library_name(fn, chain, user)
        if id(fn) not in self._met:
            self._met[id(fn)] = len(self.functions)
            self._alive.append(fn)
            self.functions.append(None)
            self.functions[self._met[id(fn)]] = self._record(fn)
        met: list[Json] = ["function", self._met[id(fn)]]
        if len(chain) > 1 and chain[1] in vars(fn):  # `scale.by`: what is kept on a function counts like a global
            met.append(self.reference(vars(fn)[chain[1]], (".".join(chain[:2]), *chain[2:]), user))
        return met

    def _wrapped(self, inner: types.FunctionType, chain: Chain, user: str) -> Json:
        """An object a decorator made (lru_cache, numba): the decorator line is part of the function's form."""
        definition = _definition(inner)
        if isinstance(definition, ast.Lambda) or not definition.decorator_list:
            raise _refused(chain[0], user, "is a wrapper that no decorator line shows")
        return self._function(inner, chain, user)

    def _partial(self, value: functools.partial[object], chain: Chain, user: str) -> Json:
        function = self.reference(value.func, chain, user)
        positional = [self.reference(argument, chain, user) for argument in value.args]
        named = {name: self.reference(argument, chain, user) for name, argument in value.keywords.items()}
        return ["partial", function, positional, named]

    def _record(self, fn: types.FunctionType) -> Json:
        node = _without_own_decorators(_definition(fn), fn)
        for module in imported_in(node):
            if module.startswith(".") or not is_library(module):
                raise _refused(module, fn.__qualname__, "is a project module imported inside the function")
        defaults = {
            name: self.reference(parameter.default, (name,), fn.__qualname__)
            for name, parameter in _parameters(fn)
            if parameter.default is not parameter.empty
        }
        kept = {name for name, each in _parameters(fn) if isinstance(each.default, list | dict | set)}
        check_determinism(node, fn.__qualname__, partial(_dotted, fn), frozenset(kept))
        names = {".".join(chain): self._free(fn, chain) for chain in free_chains(node)}
        return {"form": _form(node, fn), "defaults": defaults, "names": names}

    def _free(self, fn: types.FunctionType, chain: Chain) -> Json:
        name = chain[0]
        cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
        if name in cells:
            return self.reference(_cell_value(cells[name], name, fn), chain, fn.__qualname__)
        if name in fn.__globals__:
            value = fn.__globals__[name]
            written = _written_import(fn, name, value)
            return ["ref", written] if written else self.reference(value, chain, fn.__qualname__)
        if name in vars(builtins) and name not in _DYNAMIC:
            return ["ref", f"builtins.{name}"]
        what = "runs or reads code that cannot be seen" if name in _DYNAMIC else "is not defined"
        raise _refused(name, fn.__qualname__, what)


def _library_name(value: types.FunctionType | types.BuiltinFunctionType | type, chain: Chain, user: str) -> Json:
    module, name = value.__module__, value.__qualname__
    if module is None or not is_library(module):
        raise _refused(chain[0], user, "is a class of the project")
    if "<" in name or (isinstance(value, types.BuiltinFunctionType) and not _is_module_level(value)):
        raise _refused(chain[0], user, "carries state of its own")
    return ["ref", f"{module}.{name}"]


def _is_module_level(value: types.BuiltinFunctionType) -> bool:
    return value.__self__ is None or isinstance(value.__self__, types.ModuleType)


def _json_value(value: object, chain: Chain, user: str) -> Json:
    if not isinstance(value, (str, int, float, list, tuple, dict, type(None))):
        raise _refused(".".join(chain[:1]), user, f"is a {type(value).__name__}, not a JSON value")
    try:
        canonical_json(value)
        return ["value", _typed(value)]
    except InvalidRequest as error:
        raise _refused(chain[0], user, f"holds {error.message}") from error
    except RecursionError:
        raise _refused(chain[0], user, "is nested too deeply") from None


def _typed(value: object) -> Json:
    """A JSON value that says what code can tell and JSON does not: a float is no integer, a tuple no list."""
    match value:
        case float():
            return ["float", float.__repr__(value)]  # -0.0 has no JSON form of its own
        case tuple():
            return ["tuple", *map(_typed, value)]
        case list():
            return ["list", *map(_typed, value)]
        case dict():
            return {str(key): _typed(each) for key, each in value.items()}
        case None | str() | int():
            return value
    raise TypeError(type(value).__name__)


def _cell_value(cell: types.CellType, name: str, fn: types.FunctionType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        raise _refused(name, fn.__qualname__, "is not assigned yet") from None


def _dotted(fn: types.FunctionType, name: str) -> str:
    """What a name from outside a function is, for the scan of what it reads."""
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
    if name not in cells and name not in fn.__globals__:
        return f"builtins.{name}" if name in vars(builtins) else ""
    value = _cell_value(cells[name], name, fn) if name in cells else fn.__globals__[name]
    if name not in cells and (written := _written_import(fn, name, value)):
        return written
    if isinstance(value, types.ModuleType):
        return value.__name__ if is_library(value.__name__) else PROJECT + value.__name__
    if not isinstance(value, types.FunctionType | types.BuiltinFunctionType | type):
        kind = type(value)  # an open file or a path is as much outside as what made it
        return "" if kind.__module__ == "builtins" else f"{kind.__module__.lstrip('_')}.{kind.__qualname__}"
    found = f"{value.__module__}.{value.__qualname__}"
    return found if is_library(value.__module__ or "") else PROJECT + found


def _written_import(fn: types.FunctionType, name: str, value: object) -> str:
    """The dotted name a module-level import of a library gave to `name`, if the name still has that value."""
    for node in _tree_of(fn).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level and is_library(node.module):
            for alias in node.names:
                if (alias.asname or alias.name) == name and _still(node.module, alias.name, value):
                    return f"{node.module}.{alias.name}"
    return ""


def _still(module: str, name: str, value: object) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and name in vars(loaded) and vars(loaded)[name] is value


def _parameters(fn: types.FunctionType) -> list[tuple[str, inspect.Parameter]]:
    return list(inspect.signature(fn, follow_wrapped=False).parameters.items())


def _without_own_decorators(node: FunctionNode, fn: types.FunctionType) -> FunctionNode:
    """Without `@node(...)` and the like: what they say is in the node's spec, or is only a display name."""
    if isinstance(node, ast.Lambda):
        return node
    kept = [decorator for decorator in node.decorator_list if not _is_own(decorator, fn)]
    stripped = copy.copy(node)
    stripped.decorator_list = kept
    return stripped


def _is_own(decorator: ast.expr, fn: types.FunctionType) -> bool:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    path: list[str] = []
    while isinstance(inner, ast.Attribute):
        path.append(inner.attr)
        inner = inner.value
    value = fn.__globals__.get(inner.id) if isinstance(inner, ast.Name) else None
    while isinstance(value, types.ModuleType) and path:
        value = vars(value).get(path.pop())
    module = value.__module__ if isinstance(value, (types.FunctionType, type)) else ""
    return module.partition(".")[0] == OWN_PACKAGE


def _form(node: FunctionNode, fn: types.FunctionType) -> Json:
    try:
        return normal_form(node)
    except RecursionError:
        raise _refused(fn.__qualname__, "compute", "is nested too deeply") from None


def _definition(fn: types.FunctionType) -> FunctionNode:
    code = fn.__code__
    node = find_function(_tree_of(fn), code.co_name, code.co_firstlineno, _body_column(code))
    if node is None:
        raise _refused(fn.__qualname__, "compute", "has a source that does not match what runs")
    return node


def _tree_of(fn: types.FunctionType) -> ast.Module:
    try:
        lines, _ = inspect.findsource(fn.__code__)
        return _parse("".join(lines))
    except (OSError, TypeError, SyntaxError):
        raise _refused(fn.__qualname__, "compute", "has no readable source") from None


@functools.lru_cache(maxsize=64)
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def _body_column(code: types.CodeType) -> int | None:
    """Where a lambda's body starts: the leftmost instruction that covers any text."""
    starts = [
        (line, column)
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and column is not None and (line, column) < (end_line or 0, end_column or 0)
    ]
    return min(starts)[1] if starts else None


def is_library(module: str) -> bool:
    """Whether a module belongs to the standard library, an installed distribution or this package."""
    top = module.partition(".")[0]
    if top in ("", OWN_PACKAGE):
        return top == OWN_PACKAGE
    loaded = sys.modules.get(module)
    spec = loaded.__spec__ if loaded else importlib.util.find_spec(top)
    if spec is None:
        return False
    if spec.origin in ("built-in", "frozen"):
        return True
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return bool(places) and all(_in_library(Path(place).resolve()) for place in places)


def _in_library(path: Path) -> bool:
    return any(path.is_relative_to(root) for root in _library_roots())


@functools.cache
def _library_roots() -> tuple[Path, ...]:
    named = [sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple({Path(root).resolve() for root in [*named, *site.getsitepackages(), site.getusersitepackages()]})


def _name_of(fn: Callable[..., object]) -> str:
    return fn.__qualname__ if isinstance(fn, (types.FunctionType, types.MethodType)) else type(fn).__name__


class _NotCapturable(InvalidRequest):
    """E_CODE_NOT_CAPTURABLE."""


def _refused(name: str, user: str, what: str) -> _NotCapturable:
    return _NotCapturable(
        "E_CODE_NOT_CAPTURABLE",
        f"{name}, read by {user}, {what}",
        hint='make it a JSON constant, a plain function or a parameter, or state @node(code_version="...")',
        metadata={"name": name, "function": user},
    )
