"""What a template and a preset say of themselves: `template.toml` and `preset.toml` as values, strictly read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from qmtl.core.errors import InvalidRequest, QmtlError
from qmtl.project.layers import Layer
from qmtl.project.parameters import Answer, Parameter, ParameterKind
from qmtl.project.secret_shapes import names_secret

T = TypeVar("T")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FRAME, ADDITION = "frame", "addition"
"""Templates of no layer: the files around all layers, and what a preset adds to them."""
PLACES = (FRAME, *Layer, ADDITION)


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """`qmtl`: versions it is for. `requires`: layers it cannot be without, beside those that its own layer needs.

    `files`: the source of each file by its path in the project.
    """

    name: str
    place: str
    summary: str
    version: Version
    qmtl: SpecifierSet
    requires: tuple[Layer, ...]
    conflicts: tuple[str, ...]
    extras: tuple[str, ...]
    tags: tuple[str, ...]
    docs: str
    parameters: Mapping[str, Parameter]
    files: Mapping[str, str]

    @property
    def key(self) -> str:
        """Its name among all templates, such as "signal/multi_factor"."""
        return f"{self.place}/{self.name}"


@dataclass(frozen=True, slots=True)
class Preset:
    """A choice of layers, a template for each, what is added, and answers."""

    name: str
    summary: str
    templates: Mapping[Layer, str]
    additions: tuple[str, ...]
    answers: Mapping[str, Answer]


def template_from_toml(text: str, where: str) -> TemplateFacts:
    """Raises InvalidRequest (E_TEMPLATE_METADATA) naming the file, the field and what is wanted."""
    table = _Table(_loaded(text, where), where)
    facts = TemplateFacts(
        name=table.matching("name", NAME),
        place=table.choice("layer", PLACES),
        summary=table.text("summary"),
        version=table.made("version", Version, InvalidVersion, "a version such as 1.0.0"),
        qmtl=table.made("qmtl", SpecifierSet, InvalidSpecifier, "versions such as >=0.1,<1"),
        requires=table.layers("requires"),
        conflicts=table.texts("conflicts"),
        extras=table.texts("extras"),
        tags=table.texts("tags"),
        docs=table.text("docs"),
        parameters=_parameters(table.table("parameters"), where),
        files=table.text_table("files"),
    )
    table.nothing_else()
    return facts


def preset_from_toml(text: str, where: str) -> Preset:
    """Raises as `template_from_toml`."""
    table = _Table(_loaded(text, where), where)
    layers = table.text_table("layers")
    for name in layers:
        if name not in set(Layer):
            table.refuse(f"layers.{name}", "a layer that exists", f"one of {', '.join(Layer)}")
    preset = Preset(
        name=table.matching("name", NAME),
        summary=table.text("summary"),
        templates={layer: layers[layer] for layer in Layer if layer in layers},
        additions=table.texts("additions"),
        answers=table.scalars("answers"),
    )
    table.nothing_else()
    return preset


def _loaded(text: str, where: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest("E_TEMPLATE_METADATA", f"{where}: {error}") from None


def _parameters(tables: Mapping[str, object], where: str) -> dict[str, Parameter]:
    found = {}
    for name, fields in tables.items():
        place = f"{where}: parameters.{name}"
        if not isinstance(fields, dict) or not NAME.fullmatch(name):
            raise InvalidRequest("E_TEMPLATE_METADATA", f"{place} is not a table of a lower-case name")
        if names_secret(name):
            message = f"{place} asks for a secret, and answers are committed: name a file or a variable instead"
            raise InvalidRequest("E_TEMPLATE_METADATA", message)
        table = _Table(fields, place)
        parameter = Parameter(
            name=name,
            kind=ParameterKind(table.choice("type", tuple(ParameterKind))),
            default=table.scalar("default"),
            help=table.text("help"),
            minimum=table.number("min"),
            maximum=table.number("max"),
            choices=table.texts("choices"),
            pattern=table.text("pattern", required=False),
        )
        table.nothing_else()
        try:
            parameter.checked(parameter.default)
        except QmtlError as error:
            raise InvalidRequest("E_TEMPLATE_METADATA", f"{place}.default: {error.message}") from None
        found[name] = parameter
    return found


class _Table:
    """Fields of a table, each taken once; what is not taken is unknown."""

    def __init__(self, fields: Mapping[str, object], where: str) -> None:
        self._fields, self._where = dict(fields), where

    def refuse(self, field: str, found: object, want: str) -> NoReturn:
        raise InvalidRequest("E_TEMPLATE_METADATA", f"{self._where}: {field} is {found}, want {want}")

    def text(self, field: str, *, required: bool = True) -> str:
        value = self._fields.pop(field, None)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value:
            self.refuse(field, repr(value), "a text")
        return value

    def matching(self, field: str, pattern: re.Pattern[str]) -> str:
        value = self.text(field)
        if not pattern.fullmatch(value):
            self.refuse(field, repr(value), f"a name matching {pattern.pattern}")
        return value

    def choice(self, field: str, choices: tuple[str, ...]) -> str:
        value = self.text(field)
        if value not in choices:
            self.refuse(field, repr(value), f"one of {', '.join(choices)}")
        return value

    def made(self, field: str, make: Callable[[str], T], wrong: type[Exception], want: str) -> T:
        value = self.text(field)
        try:
            return make(value)
        except wrong:
            self.refuse(field, repr(value), want)

    def texts(self, field: str) -> tuple[str, ...]:
        value = self._fields.pop(field, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(field, repr(value), "a list of texts")
        return tuple(value)

    def layers(self, field: str) -> tuple[Layer, ...]:
        names = self.texts(field)
        if not set(names) <= set(Layer):
            self.refuse(field, repr(list(names)), f"some of {', '.join(Layer)}")
        return tuple(layer for layer in Layer if layer in names)

    def table(self, field: str) -> dict[str, object]:
        value = self._fields.pop(field, {})
        if not isinstance(value, dict):
            self.refuse(field, repr(value), "a table")
        return value

    def text_table(self, field: str) -> dict[str, str]:
        value = self.table(field)
        return {key: _Table({key: item}, f"{self._where}: {field}").text(key) for key, item in value.items()}

    def scalars(self, field: str) -> dict[str, Answer]:
        value = self.table(field)
        return {key: _Table({key: item}, f"{self._where}: {field}").scalar(key) for key, item in value.items()}

    def scalar(self, field: str) -> Answer:
        value = self._fields.pop(field, None)
        if not isinstance(value, str | int | float | bool):
            self.refuse(field, repr(value), "a text, a number, true or false")
        return value

    def number(self, field: str) -> float | None:
        value = self._fields.pop(field, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(field, repr(value), "a number")
        return float(value)

    def nothing_else(self) -> None:
        if self._fields:
            self.refuse("an unknown field", ", ".join(sorted(self._fields)), "none")
