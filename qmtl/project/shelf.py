"""Templates and presets that are known: those that come with this package, and those of installed packages.

Another package offers its own by an entry point of the group `qmtl.templates` whose value names a package with folders
as here: `<layer>/<template>/template.toml`, `presets/<preset>.toml`. Nothing of it is run but that package's import.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points, version
from importlib.resources import files
from importlib.resources.abc import Traversable

from qmtl.core.errors import AlreadyExists, InvalidRequest, NotFound
from qmtl.project.metadata import PLACES, Preset, TemplateFacts, preset_from_toml, template_from_toml

GROUP = "qmtl.templates"
OWN = "qmtl"


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
        """A file of the template. Raises InvalidRequest (E_TEMPLATE_METADATA)."""
        found = self.folder
        for part in path.split("/"):
            found = found.joinpath(part)
        if ".." in path.split("/") or path.startswith("/") or not found.is_file():
            raise InvalidRequest("E_TEMPLATE_METADATA", f"{self.facts.key}: {path} is no file beside its metadata")
        return found.read_text(encoding="utf-8")


class Shelf:
    """Every template and preset by name. A name that is taken is refused, never shadowed."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sources)

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """By key, such as "signal/multi_factor". Raises AlreadyExists (E_TEMPLATE_TAKEN), and as template_from_toml."""
        found: dict[str, Template] = {}
        for source in self._sources:
            for place in PLACES:
                for folder in _children(source.folder.joinpath(place)):
                    metadata = folder.joinpath("template.toml")
                    if not metadata.is_file():
                        continue
                    where = f"{source}: {place}/{folder.name}/template.toml"
                    facts = template_from_toml(metadata.read_text(encoding="utf-8"), where)
                    template = Template(facts, source, folder)
                    taken = found.setdefault(facts.key, template)
                    if taken is not template:
                        raise _taken("template", facts.key, taken.source, source)
        return found

    @cached_property
    def presets(self) -> Mapping[str, tuple[Preset, Source]]:
        """By name. Raises as `templates`."""
        found: dict[str, tuple[Preset, Source]] = {}
        for source in self._sources:
            for file in _children(source.folder.joinpath("presets")):
                if not file.name.endswith(".toml"):
                    continue
                preset = preset_from_toml(file.read_text(encoding="utf-8"), f"{source}: presets/{file.name}")
                if preset.name in found:
                    raise _taken("preset", preset.name, found[preset.name][1], source)
                found[preset.name] = preset, source
        return found

    def template(self, place: str, name: str) -> Template:
        """Raises NotFound (E_TEMPLATE_UNKNOWN), which names those that are near."""
        found = self.templates.get(f"{place}/{name}")
        if found is None:
            known = [one.facts.name for one in self.templates.values() if one.facts.place == place]
            raise _unknown("E_TEMPLATE_UNKNOWN", f"template of {place}", name, known)
        return found

    def preset(self, name: str) -> Preset:
        """Raises NotFound (E_PRESET_UNKNOWN), which names those that are near."""
        if name not in self.presets:
            raise _unknown("E_PRESET_UNKNOWN", "preset", name, list(self.presets))
        return self.presets[name][0]


def installed_shelf() -> Shelf:
    """Own templates first, then those of installed packages, by name."""
    own = Source(OWN, version(OWN), files("qmtl.project").joinpath("templates"))
    others = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        package = point.dist.name if point.dist else point.name
        others.append(Source(package, point.dist.version if point.dist else "", files(point.value)))
    return Shelf([own, *others])


def _children(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda one: one.name) if folder.is_dir() else []


def _taken(kind: str, name: str, first: Source, second: Source) -> AlreadyExists:
    hint = f"uninstall one of {first.package} and {second.package}"
    return AlreadyExists("E_TEMPLATE_TAKEN", f"{kind} {name} is in {first} and in {second}", hint=hint)


def _unknown(reason: str, kind: str, name: str, known: list[str]) -> NotFound:
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    return NotFound(reason, f"no {kind} is named {name!r}", hint=f"there is {', '.join(near) or 'none'}")
