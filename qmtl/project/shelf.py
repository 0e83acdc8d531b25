"""Templates and presets that are known: those that come with this package, and those of installed packages.

Another package offers its own by an entry point of the group `qmtl.templates` whose value names a package with folders
as here: `<layer>/<template>/template.toml`, `presets/<preset>.toml`. Nothing of it is run or imported; what is wrong
with it is told by name and keeps nobody from the rest.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from qmtl.core.errors import AlreadyExists, InvalidRequest, NotFound, QmtlError
from qmtl.project.metadata import PLACES, Preset, TemplateFacts, preset_from_toml, template_from_toml
from qmtl.project.migrations import FILE as MIGRATIONS
from qmtl.project.migrations import explains

T = TypeVar("T")
GROUP = "qmtl.templates"
OWN = "qmtl"
SOURCE_BYTES_MAX = 1024 * 1024
"""Size of a file of a template before it is rendered."""


@dataclass(frozen=True, slots=True)
class Source:
    """A package that offers templates, its version, and the folder they are in."""

    package: str
    version: str
    folder: Traversable

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class Template:
    """What a template says of itself, and where its files are."""

    facts: TemplateFacts
    source: Source
    folder: Traversable

    def text(self, path: str) -> str:
        """A file of the template. Raises InvalidRequest: E_TEMPLATE_METADATA (no such file), and as `_text`."""
        found = self.folder
        for part in path.split("/"):
            found = found.joinpath(part)
        if ".." in path.split("/") or path.startswith("/") or not found.is_file():
            raise InvalidRequest("E_TEMPLATE_METADATA", f"{self.facts.key}: {path} is no file beside its metadata")
        return _text(found, self.folder, f"{self.facts.key}: {path}")

    @property
    def migrations(self) -> str:
        """What its author says of steps between its versions; empty where nothing is said."""
        return self.text(MIGRATIONS) if self.folder.joinpath(MIGRATIONS).is_file() else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with something that a package offers. `name`: of the template or preset, or the entry point's."""

    name: str
    package: str
    error: QmtlError

    def __str__(self) -> str:
        hint = f" (hint: {self.error.hint})" if self.error.hint else ""
        return f"{self.package}: {self.name} is left out: {self.error.reason}: {self.error.message}{hint}"


@dataclass(frozen=True, slots=True)
class _Stock:
    templates: dict[str, Template] = field(default_factory=dict)
    presets: dict[str, tuple[Preset, Source]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class Shelf:
    """Every template and preset by name. A name that two packages have is nobody's, and never shadows one of qmtl."""

    def __init__(self, sources: Iterable[Source], faults: Iterable[Fault] = ()) -> None:
        self._sources, self._faults = tuple(sources), tuple(faults)

    @property
    def templates(self) -> Mapping[str, Template]:
        """Those that can be used, by key, such as "signal/multi_factor"."""
        return self._stock.templates

    @property
    def presets(self) -> Mapping[str, tuple[Preset, Source]]:
        """Those that can be used, by name."""
        return self._stock.presets

    @property
    def faults(self) -> Sequence[Fault]:
        """What cannot be used, and why: E_TEMPLATE_METADATA, E_TEMPLATE_TAKEN, E_TEMPLATE_PATH, E_TEMPLATE_SIZE."""
        return self._stock.faults

    def template(self, place: str, name: str) -> Template:
        """Raises what is wrong with it, or NotFound (E_TEMPLATE_UNKNOWN), which names those that are near."""
        key = f"{place}/{name}"
        self._refuse(key, key in self.templates)
        if key not in self.templates:
            known = [one.facts.name for one in self.templates.values() if one.facts.place == place]
            raise _unknown("E_TEMPLATE_UNKNOWN", f"template of {place}", name, known)
        return self.templates[key]

    def preset(self, name: str) -> Preset:
        """Raises what is wrong with it, or NotFound (E_PRESET_UNKNOWN), which names those that are near."""
        self._refuse(f"preset {name}", name in self.presets)
        if name not in self.presets:
            raise _unknown("E_PRESET_UNKNOWN", "preset", name, list(self.presets))
        return self.presets[name][0]

    def _refuse(self, name: str, known: bool) -> None:
        for fault in self.faults:
            if fault.name == name and not known:
                raise fault.error

    @cached_property
    def _stock(self) -> _Stock:
        stock = _Stock(faults=[*self._faults])
        templates = self._collected(
            ((f"{place}/{folder.name}", source, partial(_template, source, place, folder))
             for source in self._sources for place in PLACES for folder in _children(source.folder.joinpath(place))
             if folder.joinpath("template.toml").is_file()), stock.faults,
        )  # fmt: skip
        presets = self._collected(
            ((f"preset {file.name.removesuffix('.toml')}", source, partial(_preset, source, file))
             for source in self._sources for file in _children(source.folder.joinpath("presets"))
             if file.name.endswith(".toml")), stock.faults,
        )  # fmt: skip
        stock.templates.update((key, template) for key, (template, _) in templates.items())
        stock.presets.update((preset.name, (preset, source)) for preset, source in presets.values())
        return stock

    def _collected(
        self, offered: Iterable[tuple[str, Source, Callable[[], T]]], faults: list[Fault]
    ) -> dict[str, tuple[T, Source]]:
        found: dict[str, tuple[T, Source]] = {}
        doubled = set()
        for name, source, read in offered:
            try:
                made = read()
            except QmtlError as error:
                faults.append(Fault(name, str(source), error))
                continue
            first = found.setdefault(name, (made, source))[1]
            if first is not source:
                faults.append(Fault(name, str(source), _taken(name, first, source)))
                if first.package != OWN:
                    doubled.add(name)
        return {name: one for name, one in found.items() if name not in doubled}


def installed_shelf() -> Shelf:
    """Own templates, and those of installed packages; one installed a moment ago too."""
    invalidate_caches()
    sources = [Source(OWN, version(OWN), files("qmtl.project").joinpath("templates"))]
    faults = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        package, number = (point.dist.name, point.dist.version) if point.dist else (point.name, "")
        try:
            sources.append(Source(package, number, _folder(point)))
        except InvalidRequest as error:
            faults.append(Fault(f"entry point {point.name}", f"{package} {number}", error))
    return Shelf(sources, faults)


def _folder(point: EntryPoint) -> Path:
    """Where the package of an entry point is, without importing it. Raises InvalidRequest (E_TEMPLATE_METADATA)."""
    top, *parts = point.value.split(".")
    spec = _found(top) if top.isidentifier() else None
    places = [Path(place, *parts) for place in (spec and spec.submodule_search_locations) or ()]
    for place in places:
        if any(place.glob("*/*/template.toml")) or any(place.glob("presets/*.toml")):
            return place
    found = "has no template and no preset" if any(place.is_dir() for place in places) else "is no package"
    message = f"{GROUP}: {point.name} = {point.value!r} {found}, want a package with <layer>/<template>/template.toml"
    raise InvalidRequest("E_TEMPLATE_METADATA", message, hint="are its files in the wheel (package data)?")


def _found(top: str) -> ModuleSpec | None:
    """Where the path has a package: a module of its name that is loaded, as a strategy's file may be, is another."""
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(top, None)
        except (ImportError, ValueError):
            continue
        if spec is not None:
            return spec
    return None


def _template(source: Source, place: str, folder: Traversable) -> Template:
    where = f"{source}: {place}/{folder.name}/template.toml"
    facts = template_from_toml(_text(folder.joinpath("template.toml"), folder, where), where)
    if facts.key != f"{place}/{folder.name}":
        message = f"{where}: it says {facts.key}, want the folder's own {place}/{folder.name}"
        raise InvalidRequest("E_TEMPLATE_METADATA", message)
    template = Template(facts, source, folder)
    if not explains(template.migrations, facts.version):
        message = f"{where}: version is {facts.version}, want {MIGRATIONS} with ## {facts.version.major}.0.0"
        raise InvalidRequest("E_TEMPLATE_METADATA", message)
    return template


def _preset(source: Source, file: Traversable) -> Preset:
    where = f"{source}: presets/{file.name}"
    preset = preset_from_toml(_text(file, source.folder, where), where)
    if f"{preset.name}.toml" != file.name:
        raise InvalidRequest("E_TEMPLATE_METADATA", f"{where}: name is {preset.name!r}, want the file's own")
    return preset


def _text(file: Traversable, folder: Traversable, where: str) -> str:
    """Raises InvalidRequest: E_TEMPLATE_PATH (a link that leads out), E_TEMPLATE_SIZE, E_TEMPLATE_METADATA."""
    if isinstance(file, Path) and isinstance(folder, Path) and not file.resolve().is_relative_to(folder.resolve()):
        raise InvalidRequest("E_TEMPLATE_PATH", f"{where} is a link that leads out of the template")
    try:
        with file.open("rb") as opened:
            content = opened.read(SOURCE_BYTES_MAX + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("E_TEMPLATE_METADATA", f"{where} cannot be read: {error}") from None
    if len(content) > SOURCE_BYTES_MAX:
        raise InvalidRequest("E_TEMPLATE_SIZE", f"{where} has more than {SOURCE_BYTES_MAX} bytes")
    return text


def _children(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda one: one.name) if folder.is_dir() else []


def _taken(name: str, first: Source, second: Source) -> AlreadyExists:
    both = f"one of {first.package} and {second.package}"
    hint = f"uninstall {second.package if first.package == OWN else both}"
    return AlreadyExists("E_TEMPLATE_TAKEN", f"{name} is in {first} and in {second}", hint=hint)


def _unknown(reason: str, kind: str, name: str, known: list[str]) -> NotFound:
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    return NotFound(reason, f"no {kind} is named {name!r}", hint=f"there is {', '.join(near) or 'none'}")
