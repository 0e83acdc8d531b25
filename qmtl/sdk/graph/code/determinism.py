"""Finds what makes a compute function depend on more than its inputs: clocks, chance, the outside, kept state, data.

A scan of the syntax tree, by the dotted names that the function reads and by what it writes to. It sees what is written
down; what only shows when the node runs is the look-ahead detector's and the wall-clock guard's.
"""

from __future__ import annotations

import ast
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sized

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.graph.code.syntax import Chain, FunctionNode, free_chains

_FLOAT_BYTES = 8
NUMBERS_MAX = 64
"""Numbers that the code of one node may hold; more is data, which may know the future."""

DottedName = Callable[[str], str]
"""What a name from outside a function is: the dotted name of a library's module, class or function, after PROJECT for
the project's; "" for a value.
"""
PROJECT = "project:"

_CLOCKS = (
    "time",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "pandas.Timestamp.now",
    "pandas.Timestamp.utcnow",
    "pandas.Timestamp.today",
)
_NOW_TEXTS = ("numpy.datetime64", "pandas.Timestamp", "pandas.to_datetime", "pandas.DatetimeIndex")
_CHANCE = ("random", "secrets", "uuid", "numpy.random", "os.urandom", "builtins.id", "builtins.hash")
_SEEDED = (
    "random.Random",
    "numpy.random.default_rng",
    "numpy.random.RandomState",
    "numpy.random.Generator",
    "numpy.random.SeedSequence",
    "numpy.random.PCG64",
    "numpy.random.Philox",
    "numpy.random.MT19937",
)
_OUTSIDE = (
    "os",
    "sys",
    "io",
    "pathlib",
    "glob",
    "shutil",
    "tempfile",
    "socket",
    "subprocess",
    "multiprocessing",
    "threading",
    "platform",
    "getpass",
    "urllib",
    "http",
    "requests",
    "httpx",
    "aiohttp",
    "sqlite3",
    "pickle",
    "importlib",
    "inspect",
    "ctypes",
    "gc",
    "shelve",
    "builtins.open",
    "builtins.input",
    "numpy.load",
    "numpy.loadtxt",
    "numpy.genfromtxt",
    "numpy.fromfile",
    "numpy.memmap",
    "qmtl.sdk.Bars",
    "qmtl.sdk.Runner",
    "qmtl.sdk.data",
    "qmtl.sdk.mesh",
    "qmtl.sdk.runner",
)
_DOORS = ("__globals__", "__builtins__", "__subclasses__", "__loader__", "__dict__")
"""Attributes that lead from any value to every module."""
_READERS = ("pandas.read_", "polars.read_", "polars.scan_")
_CONSTANTS = ("sys.float_info", "sys.maxsize", "os.sep")
_LIST_CHANGERS = ("append", "appendleft", "extend", "insert", "pop", "popleft", "remove", "reverse", "sort")
_CHANGERS = frozenset((*_LIST_CHANGERS, "add", "clear", "discard", "popitem", "setdefault", "update"))


def check_determinism(node: FunctionNode, user: str, dotted: DottedName, kept: frozenset[str]) -> None:
    """Refuse a function that depends on more than its inputs. `kept`: parameters whose default is a list, dict or set.

    Raises InvalidRequest: E_WALL_CLOCK, E_NOT_DETERMINISTIC, E_DATA_IN_CODE, naming function, line and name.
    """
    scan = _Scan(node, user, dotted, kept)
    for part in ast.walk(node):
        scan.look(part)


def check_amount(numbers: int, name: str, user: str) -> None:
    """Refuse a captured value, or a literal, of more numbers than code has. Raises InvalidRequest (E_DATA_IN_CODE)."""
    if numbers > NUMBERS_MAX:
        raise InvalidRequest(
            "E_DATA_IN_CODE",
            f"{name}, read by {user}: its code holds {numbers} numbers, want at most {NUMBERS_MAX}: "
            "data in code may know the future",
            hint="give it to the node as an input, or as an artifact",
            metadata={"name": name, "function": user},
        )


def count_numbers(value: object) -> int:
    """How many numbers a value holds: every one of a JSON value or an array, a row each of another table, one for
    eight characters of a text."""
    if isinstance(value, Mapping):
        return sum(count_numbers(key) + count_numbers(each) for key, each in value.items())
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return sum(map(count_numbers, value))
    numpy = sys.modules.get("numpy")  # who has an array has loaded it
    if numpy is not None and isinstance(value, numpy.ndarray):
        return int(value.size)
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return len(value) // _FLOAT_BYTES
    if isinstance(value, (bool, type)):
        return 0
    return len(value) if isinstance(value, Sized) else int(isinstance(value, (int, float)))


class _Scan:
    """The looks at one function."""

    def __init__(self, node: FunctionNode, user: str, dotted: DottedName, kept: frozenset[str]) -> None:
        self._user = user
        self._dotted = dotted
        self._imports = dict(_imports(node))
        self._kept = kept
        self._outside = {chain[0] for chain in free_chains(node)} - self._imports.keys()
        self._inner = {id(part.value) for part in ast.walk(node) if isinstance(part, ast.Attribute)}
        self._calls = {id(call.func): call for call in ast.walk(node) if isinstance(call, ast.Call)}
        self._remarks = {id(part.value) for part in ast.walk(node) if isinstance(part, ast.Expr)}  # docstrings
        self._stored = {
            part.id
            for part in ast.walk(node)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del)
        }
        self._own_block = set(map(id, node.body if isinstance(node.body, list) else ()))

    def look(self, part: ast.AST) -> None:
        """Judge one node of the tree."""
        if isinstance(part, ast.Attribute) and part.attr in _DOORS:
            what = f"reads what is outside of its inputs: {part.attr}"
            raise self._refusal("E_NOT_DETERMINISTIC", part, what, "give it to the node as an input")
        if isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Load):
            if id(part) not in self._inner:
                self._read(part)
        elif isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
            self._written(part, _root(part))
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _CHANGERS:
            if _chain(part.func) is None:  # KEPT["seen"].append(...); plain chains are looked at by name
                self._written(part, _root(part.func))
        elif isinstance(part, ast.Global | ast.Nonlocal):
            for name in part.names:
                if name in self._stored and (isinstance(part, ast.Global) or self._reaches_out(part, name)):
                    raise self._state(part, name)
        elif isinstance(part, ast.List | ast.Tuple | ast.Set | ast.Dict):
            numbers = sum(_is_number(inner) for inner in ast.walk(part))
            check_amount(numbers, f"the literal in line {part.lineno}", self._user)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str | bytes) and id(part) not in self._remarks:
            check_amount(count_numbers(part.value), f"the text in line {part.lineno}", self._user)

    def _reaches_out(self, part: ast.Nonlocal, name: str) -> bool:
        return id(part) in self._own_block or name in self._outside

    def _read(self, part: ast.Name | ast.Attribute) -> None:
        """A name, with the attributes read from it."""
        chain = _chain(part)
        if chain is None:
            return
        call, name = self._calls.get(id(part)), self._name_of(chain)
        if not name or name.startswith(PROJECT):
            if call is not None and chain[-1] in _CHANGERS and len(chain) > (2 if name else 1):
                self._written(part, chain[0])
        elif _within(name, _CONSTANTS):
            return
        elif _within(name, _CLOCKS) or (name in _NOW_TEXTS and call is not None and _says_now(call)):
            hint = "use the event's own time: view[...].time_ns"
            raise self._refusal("E_WALL_CLOCK", part, f"reads the clock: {name}", hint)
        elif name in _SEEDED:
            if call is None or not (call.args or call.keywords):
                raise self._chance(part, name)
        elif _within(name, _CHANCE):
            raise self._chance(part, name)
        elif _within(name, _OUTSIDE) or name.startswith(_READERS):
            what = f"reads what is outside of its inputs: {name}"
            raise self._refusal("E_NOT_DETERMINISTIC", part, what, "give it to the node as an input")
        elif _is_module(name):
            what = f"uses module {name} as a value, through which all that is in it can be read"
            raise self._refusal("E_NOT_DETERMINISTIC", part, what, f"write what is read of it: {name}.NAME")

    def _name_of(self, chain: Chain) -> str:
        """The dotted name of a chain that starts at a library's name; "" for the node's own values."""
        root = chain[0]
        if root in self._imports:
            return ".".join((self._imports[root], *chain[1:]))
        found = self._dotted(root) if root in self._outside else ""
        return ".".join((found, *chain[1:])) if found else ""

    def _written(self, part: ast.expr, root: str) -> None:
        """Something is changed that a name leads to: it must be the call's own."""
        if root in self._outside or root in self._kept or root in self._imports:
            raise self._state(part, root)

    def _state(self, part: ast.AST, name: str) -> InvalidRequest:
        return self._refusal(
            "E_NOT_DETERMINISTIC",
            part,
            f"changes {name}, which outlives the call",
            "what came before is in the windows of the view: view[...].window(n)",
        )

    def _chance(self, part: ast.AST, name: str) -> InvalidRequest:
        hint = "make the generator inside the function from a seed that is a constant: numpy.random.default_rng(7)"
        return self._refusal("E_NOT_DETERMINISTIC", part, f"draws what differs from run to run: {name}", hint)

    def _refusal(self, reason: str, part: ast.AST, what: str, hint: str) -> InvalidRequest:
        line = getattr(part, "lineno", 0)
        metadata = {"function": self._user}
        return InvalidRequest(reason, f"{self._user}, line {line}, {what}", hint=hint, metadata=metadata)


def _imports(node: FunctionNode) -> Iterator[tuple[str, str]]:
    """Names that imports inside the function bind, each with what it is."""
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            for alias in part.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(part, ast.ImportFrom) and part.module:
            for alias in part.names:
                yield alias.asname or alias.name, f"{part.module}.{alias.name}"


def _chain(part: ast.expr) -> Chain | None:
    """The name and attributes of an expression that has only these."""
    found: list[str] = []
    while isinstance(part, ast.Attribute):
        found.append(part.attr)
        part = part.value
    return (part.id, *reversed(found)) if isinstance(part, ast.Name) else None


def _root(part: ast.expr) -> str:
    """The name that a path of attributes and subscripts starts at; "" for anything else."""
    while isinstance(part, ast.Attribute | ast.Subscript):
        part = part.value
    return part.id if isinstance(part, ast.Name) else ""


def _is_module(name: str) -> bool:
    """Whether a dotted name is a module's, and not that of something beside a module of the same name."""
    found, (parent, _, last) = sys.modules.get(name), name.rpartition(".")
    holder = sys.modules.get(parent)
    return found is not None and (holder is None or vars(holder).get(last) is found)


def _within(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def _says_now(call: ast.Call) -> bool:
    return any(isinstance(each, ast.Constant) and each.value in ("now", "today") for each in call.args)


def _is_number(part: ast.AST) -> bool:
    return isinstance(part, ast.Constant) and isinstance(part.value, int | float) and not isinstance(part.value, bool)
