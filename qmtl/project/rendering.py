"""Templates and answers to files, as bytes by path. The same input gives the same bytes on every machine.

A template is data: its language is cut down to output, conditions and loops over lists, so it calls nothing, looks into
no object and grows no text but by what it writes, which is counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from packaging.version import Version

from qmtl.core.errors import InvalidRequest
from qmtl.project.parameters import Answer
from qmtl.project.project_file import BASE_FILE, PROJECT_FILE, RUNNING
from qmtl.project.shelf import Template

FILES_MAX = 200
FILE_BYTES_MAX = 256 * 1024
PROJECT_BYTES_MAX = 2 * 1024 * 1024
LOOPS_MAX = 2
"""Loops inside each other."""
PATH_CHARACTERS_MAX = 200
RENDERED = ".jinja"
"""Ending of sources that are rendered; others are copied."""
_LANGUAGE = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.For,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
)


def rendered(templates: Iterable[Template], answers: Mapping[str, Answer], layers: Iterable[str]) -> dict[str, bytes]:
    """Every file of a project by its path, in order of paths.

    Raises InvalidRequest: E_TEMPLATE_PATH (not a plain relative path, or that of another template), E_TEMPLATE_SIZE,
    E_TEMPLATE_METADATA (a template that says what its language does not have, or names an unknown parameter).
    """
    environment = _environment()
    templates = tuple(templates)
    chosen = tuple(template.facts.key for template in templates)
    values = {**answers, "layers": tuple(layers), "chosen": chosen, "requirement": requirement(templates)}
    found: dict[str, bytes] = {}
    for template in templates:
        for written_path, source in template.facts.files.items():
            where = f"{template.facts.key}: {source}"
            path = _path(_text(environment, written_path, values, f"{where} (path)"), where)
            if path in found:
                raise InvalidRequest("E_TEMPLATE_PATH", f"{where}: {path} is written by two templates")
            text = template.text(source)
            if source.endswith(RENDERED):
                text = _text(environment, text, values, where)
            content = text.replace("\r\n", "\n").encode()
            if not content.strip():
                continue  # a file that these answers leave empty is none
            if len(content) > FILE_BYTES_MAX:
                raise _too_large(where, f"{len(content)} bytes", f"at most {FILE_BYTES_MAX} a file")
            found[path] = content
    _check_sizes(found)
    return dict(sorted(found.items()))


def requirement(templates: Sequence[Template]) -> str:
    """The package of this version up to the next major one, with the extras of the templates, as pip reads it."""
    extras = sorted({extra for template in templates for extra in template.facts.extras})
    listed = f"[{','.join(extras)}]" if extras else ""
    return f"qmtl{listed}>={Version(RUNNING).base_version},<{Version(RUNNING).major + 1}"


def _check_sizes(found: Mapping[str, bytes]) -> None:
    total = sum(map(len, found.values()))
    if len(found) > FILES_MAX:
        raise _too_large("project", f"{len(found)} files", f"at most {FILES_MAX}")
    if total > PROJECT_BYTES_MAX:
        raise _too_large("project", f"{total} bytes", f"at most {PROJECT_BYTES_MAX}")
    for path in found:
        above = [str(parent) for parent in PurePosixPath(path).parents if str(parent) in found]
        if above:
            raise InvalidRequest("E_TEMPLATE_PATH", f"{path} is below {above[0]}, which is a file")


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.globals.clear()
    environment.tests = {}
    environment.filters = {"python": python_literal, "toml": toml_literal, "title": title, "module": module_name}
    return environment


def python_literal(value: Answer) -> str:
    """A value as Python source, in double quotes where it is a text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def toml_literal(value: Answer) -> str:
    """A value as TOML; its basic strings escape what JSON's do, and the control character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def title(value: str) -> str:
    """A name as a class is named: "my-first" is "MyFirst"."""
    return "".join(part[:1].upper() + part[1:] for part in value.replace("-", "_").split("_"))


def module_name(value: str) -> str:
    """A name as a module is named: "my-first" is "my_first"."""
    return value.replace("-", "_").lower()


def _text(environment: ImmutableSandboxedEnvironment, source: str, values: Mapping[str, object], where: str) -> str:
    try:
        tree = environment.parse(source)
        _check_language(tree, environment, where)
        parts, size = [], 0
        for part in environment.from_string(source).generate(values):
            parts.append(part)
            size += len(part)
            if size > FILE_BYTES_MAX:
                raise _too_large(where, "more", f"at most {FILE_BYTES_MAX} characters a file")
    except TemplateSyntaxError as error:
        raise InvalidRequest("E_TEMPLATE_METADATA", f"{where}:{error.lineno}: {error.message}") from None
    except UndefinedError as error:
        raise InvalidRequest("E_TEMPLATE_METADATA", f"{where}: {error.message}; it is no parameter") from None
    return "".join(parts)


def _check_language(tree: nodes.Node, environment: ImmutableSandboxedEnvironment, where: str, loops: int = 0) -> None:
    for node in tree.iter_child_nodes():
        inside = loops + isinstance(node, nodes.For)
        if not isinstance(node, _LANGUAGE) or inside > LOOPS_MAX:
            want = f"output, conditions, {LOOPS_MAX} loops inside each other and filters"
            message = f"{where}:{node.lineno}: {type(node).__name__} is not in the language of templates, want {want}"
            raise InvalidRequest("E_TEMPLATE_METADATA", message)
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            known = ", ".join(environment.filters)
            raise InvalidRequest("E_TEMPLATE_METADATA", f"{where}:{node.lineno}: no filter {node.name}, want {known}")
        _check_language(node, environment, where, inside)


def _path(path: str, where: str) -> str:
    parts = path.split("/")
    plain = path.isprintable() and "\\" not in path and ":" not in path and len(path) <= PATH_CHARACTERS_MAX
    if not plain or any(part in ("", ".", "..") or part != part.strip() for part in parts):
        want = "a relative path of plain names with / between them"
        raise InvalidRequest("E_TEMPLATE_PATH", f"{where}: path is {path[:PATH_CHARACTERS_MAX]!r}, want {want}")
    if parts[0] in (".git", ".qmtl") or path in (PROJECT_FILE, BASE_FILE):
        raise InvalidRequest("E_TEMPLATE_PATH", f"{where}: {path} is not a template's to write")
    return path


def _too_large(where: str, found: str, want: str) -> InvalidRequest:
    return InvalidRequest("E_TEMPLATE_SIZE", f"{where} has {found}, want {want}")
