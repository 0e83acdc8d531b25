"""Projects of earlier versions of the templates, as archives in `versions/`: `<set>-<project>.tgz`, rendered and whole.

After a step of a template's version: python -m tests.project.kept adds a set of today's projects.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from qmtl.project.archive import packed, unpacked
from qmtl.project.operations import whole
from qmtl.project.project_file import BASE_FILE, PROJECT_FILE, RUNNING, ProjectFile, project_from_text
from qmtl.project.selection import Selection, select
from qmtl.project.shelf import Shelf, installed_shelf

FOLDER = Path(__file__).with_name("versions")
PROJECTS: dict[str, tuple[str, dict[str, str]]] = {
    "first": ("minimal", {"execution": "intent_first", "brokerage": "paper", "monitoring": "notebook_metrics"}),
    "research": ("research", {"signal": "ml_model", "execution": "market_maker", "brokerage": "ibkr_profile"}),
    "weighed": ("research", {}),
    "production": ("production", {}),
}
"""Preset and templates by project: every template is in one of them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A project as it was made. `files`: as rendered; `project_file`: what it said of itself."""

    number: int
    name: str
    files: dict[str, bytes]
    project_file: bytes

    @property
    def file(self) -> ProjectFile:
        """What it says of itself."""
        return project_from_text(self.project_file, self.name, RUNNING)

    @property
    def versions(self) -> dict[str, Version]:
        """Versions of its templates, by key."""
        used = {f"{place}/{one.template}": one.version for place, one in self.file.templates.items()}
        used |= {f"addition/{one.template}": one.version for one in self.file.additions}
        return {key: Version(version) for key, version in used.items()}

    def laid(self, folder: Path) -> Path:
        """The project in a folder, as its author has it on the first day."""
        for path, content in {**self.files, PROJECT_FILE: self.project_file, BASE_FILE: packed(self.files)}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder


def kept() -> Iterator[Kept]:
    """Every project that is kept, oldest first."""
    for path in sorted(FOLDER.glob("*.tgz")):
        number, _, name = path.stem.partition("-")
        files = unpacked(path.read_bytes())
        project_file = files.pop(PROJECT_FILE)
        yield Kept(int(number), name, files, project_file)


def todays(shelf: Shelf, name: str) -> Selection:
    """One of the projects with the templates of today."""
    preset, named = PROJECTS[name]
    return select(shelf, RUNNING, preset=preset, layers=list(named), named=named)


def keep(number: int, name: str, files: dict[str, bytes]) -> None:
    """Equal files give an equal archive with one version of zlib; nobody compares archives."""
    del files[BASE_FILE]
    FOLDER.mkdir(exist_ok=True)
    compressed = gzip.compress(gzip.decompress(packed(files)), 9, mtime=0)
    (FOLDER / f"{number}-{name}.tgz").write_bytes(compressed)


def main() -> None:
    shelf, there = installed_shelf(), list(kept())
    number = max((one.number for one in there), default=0) + 1
    for name in PROJECTS:
        keep(number, name, whole(todays(shelf, name)))


if __name__ == "__main__":
    main()
