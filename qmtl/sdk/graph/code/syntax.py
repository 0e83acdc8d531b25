"""The version-independent normal form of Python source, and the names a function takes from outside.

Pure functions over `ast`: the form is the same on every supported Python, which `ast.dump` and
bytecode are not. Names that only annotations mention do not count: nothing evaluates them when a
function runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qmtl.core.identity.canonical import Json

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Chain = tuple[str, ...]
"""A name and the attributes read from it: `np.linalg.norm` is ("np", "linalg", "norm")."""

_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_params"})
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def normal_form(node: ast.AST) -> Json:
    """[class, [field, value]...] without positions, docstrings, empty fields and what only some versions have."""
    if isinstance(node, ast.Constant):
        return ["Constant", *_constant(node.value)]
    form: list[Json] = [type(node).__name__]
    for field in node._fields:
        if field in _SKIPPED:
            continue
        value = _field(node, field)
        if value is not None and value != []:
            form.append([field, value])
    return form


def _field(node: ast.AST, field: str) -> Json:
    raw = vars(node).get(field)
    if field == "body" and isinstance(node, _DEFINITIONS):
        raw = _without_docstring(node.body)
    if isinstance(node, ast.JoinedStr):
        raw = _joined(node.values)
    if isinstance(node, ast.FormattedValue) and field == "format_spec" and not _spec_parts(node):
        return None
    if isinstance(raw, list):
        return [normal_form(item) if isinstance(item, ast.AST) else item for item in raw]
    if isinstance(raw, ast.AST):
        return normal_form(raw)
    return raw


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """f-string parts with neighbours merged and empty ones dropped: parsers differ in how they cut them."""
    parts: list[ast.expr] = []
    for value in values:
        text = value.value if isinstance(value, ast.Constant) else None
        last = parts[-1] if parts else None
        if isinstance(text, str) and isinstance(last, ast.Constant) and isinstance(last.value, str):
            parts[-1] = ast.Constant(last.value + text)
        elif text != "":
            parts.append(value)
    return parts


def _spec_parts(node: ast.FormattedValue) -> list[ast.expr]:
    return _joined(node.format_spec.values) if isinstance(node.format_spec, ast.JoinedStr) else []


def _constant(value: object) -> list[Json]:
    """Type and exact text, because 1, 1.0 and True are different code."""
    kind = type(value).__name__
    if isinstance(value, bytes):
        return [kind, value.hex()]
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            return ["utf16", value.encode("utf-16-be", "surrogatepass").hex()]
        return [kind, value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [kind, hex(value)]
    return [kind, repr(value)]


def find_function(tree: ast.Module, name: str, first_line: int, column: int | None) -> FunctionNode | None:
    """The definition a code object came from; `column` tells lambdas of one line apart."""
    found: list[FunctionNode] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == first_line:
            found.append(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            found.extend([node] if _first_line(node) == first_line else [])
    if len(found) > 1 and column is not None:
        found = [node for node in found if isinstance(node, ast.Lambda) and node.body.col_offset == column]
    return found[0] if len(found) == 1 else None


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def free_chains(node: FunctionNode) -> list[Chain]:
    """What the function reads from outside itself when it runs, sorted; its own defaults are not among it."""
    scope = _Scope(_parameters(node.args), None, is_class=False)
    scope.add_bindings(node.body if isinstance(node.body, list) else [node.body])
    found: set[Chain] = set()
    for statement in node.body if isinstance(node.body, list) else [node.body]:
        found.update(_reads(statement, scope))
    if not isinstance(node, ast.Lambda):
        outside = _Scope(set(), None, is_class=False)
        for decorator in node.decorator_list:
            found.update(_reads(decorator, outside))
    return sorted(found)


def imported_in(node: FunctionNode) -> list[str]:
    """Modules the function imports when it runs; a relative import keeps its dots."""
    names: list[str] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            names.extend(alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            names.append("." * inner.level + (inner.module or ""))
    return sorted(set(names))


class _Scope:
    """Names one block binds, and the block around it."""

    def __init__(self, names: set[str], outer: _Scope | None, *, is_class: bool) -> None:
        self.names = set(names)
        self.outer = outer
        self.is_class = is_class
        self.module_level: set[str] = set()

    def add_bindings(self, body: list[ast.stmt] | list[ast.expr]) -> None:
        outward: set[str] = set()
        for statement in body:
            for node in _block_nodes(statement):
                self.names.update(_binds(node))
                if isinstance(node, ast.Global):
                    self.module_level.update(node.names)
                if isinstance(node, ast.Nonlocal):
                    outward.update(node.names)
        self.names -= self.module_level | outward

    def inner(self, names: set[str], *, is_class: bool = False) -> _Scope:
        outer: _Scope | None = self
        while outer is not None and outer.is_class:
            outer = outer.outer
        return _Scope(names, outer, is_class=is_class)

    def holds(self, name: str) -> bool:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.module_level:
                return False
            if name in scope.names:
                return True
            scope = scope.outer
        return False


def _block_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of one block, without the insides of the blocks defined in it."""
    yield node
    if isinstance(node, (*_DEFINITIONS, ast.Lambda)):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(node, _COMPREHENSIONS):
            yield from (inner for inner in ast.walk(child) if isinstance(inner, ast.NamedExpr))
        else:
            yield from _block_nodes(child)


def _binds(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.NamedExpr(target=ast.Name(id=name)):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return {name}
        case ast.MatchMapping(rest=str(name)):
            return {name}
    return set()


def _parameters(args: ast.arguments) -> set[str]:
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return {argument.arg for argument in [*named, *filter(None, (args.vararg, args.kwarg))]}


def _reads(node: ast.AST, scope: _Scope) -> Iterator[Chain]:
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            if not scope.holds(name):
                yield (name,)
        case ast.Attribute():
            yield from _attribute_reads(node, scope)
        case ast.AnnAssign(target=target, value=value):
            for part in filter(None, (target, value)):
                yield from _reads(part, scope)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            yield from _inner_function_reads(node, scope)
        case ast.ClassDef():
            yield from _inner_class_reads(node, scope)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from _comprehension_reads(node, scope)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _reads(child, scope)


def _attribute_reads(node: ast.Attribute, scope: _Scope) -> Iterator[Chain]:
    chain: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        chain.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        yield from _reads(inner, scope)
    elif not scope.holds(inner.id):
        yield (inner.id, *reversed(chain))


def _inner_function_reads(node: FunctionNode, scope: _Scope) -> Iterator[Chain]:
    for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
        yield from _reads(default, scope)
    body = node.body if isinstance(node.body, list) else [node.body]
    if not isinstance(node, ast.Lambda):
        for decorator in node.decorator_list:
            yield from _reads(decorator, scope)
    inner = scope.inner(_parameters(node.args))
    inner.add_bindings(body)
    for statement in body:
        yield from _reads(statement, inner)


def _inner_class_reads(node: ast.ClassDef, scope: _Scope) -> Iterator[Chain]:
    for part in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
        yield from _reads(part, scope)
    inner = scope.inner(set(), is_class=True)
    inner.add_bindings(node.body)
    for statement in node.body:
        yield from _reads(statement, inner)


def _comprehension_reads(
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: _Scope
) -> Iterator[Chain]:
    yield from _reads(node.generators[0].iter, scope)
    targets = [part for generator in node.generators for part in ast.walk(generator.target)]
    inner = scope.inner({part.id for part in targets if isinstance(part, ast.Name)})
    for index, generator in enumerate(node.generators):
        for part in [generator.target, *([generator.iter] if index else []), *generator.ifs]:
            yield from _reads(part, inner)
    results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for part in results:
        yield from _reads(part, inner)
