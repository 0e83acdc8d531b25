"""What is done to a project: made, changed, compared. One operation changes it, whatever was asked for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from qmtl.core.errors import Conflict, DataLoss, InvalidRequest, NotFound, NotReady
from qmtl.project.archive import packed, unpacked
from qmtl.project.layers import Layer
from qmtl.project.merging import Change, Outcome, merged
from qmtl.project.metadata import ADDITION
from qmtl.project.migrations import notes_between
from qmtl.project.parameters import Answer
from qmtl.project.project_file import (
    BASE_FILE,
    PROJECT_FILE,
    RUNNING,
    ProjectFile,
    digest,
    project_file_text,
    read_project_file,
)
from qmtl.project.selection import DEFAULTS, Selection, called, completed, needs, selected_before
from qmtl.project.shelf import Shelf
from qmtl.project.writing import create, finish, replace_files


def new_project(folder: Path, selection: Selection) -> dict[str, bytes]:
    """Render a selection into a folder that is absent or empty; its files. Raises as rendering and `create`."""
    files = whole(selection)
    create(folder, files)
    return files


def whole(selection: Selection) -> dict[str, bytes]:
    """Every file of a new project, its own two among them."""
    files = selection.files()
    project = selection.project_file(RUNNING, {path: digest(content) for path, content in files.items()})
    return {**files, PROJECT_FILE: project_file_text(project), BASE_FILE: packed(files)}


def first_commands(files: Mapping[str, bytes]) -> list[str]:
    """What a new project is looked at with: the first code block of its README."""
    return files["README.md"].decode().split("```")[1].strip().splitlines()


@dataclass(frozen=True, slots=True)
class Project:
    """A project in a folder: its file, what was rendered, and what the author has made of it."""

    folder: Path
    file: ProjectFile
    base: Mapping[str, bytes]

    @classmethod
    def opened(cls, folder: Path) -> Project:
        """Finishes what an earlier command left. Raises as read_project_file; DataLoss for a damaged archive."""
        read_project_file(folder, RUNNING)  # nothing is written into a project of a newer version
        finish(folder)
        file = read_project_file(folder, RUNNING)
        archive = folder / BASE_FILE
        if not archive.is_file():
            raise NotFound("E_PROJECT_UNKNOWN", f"{folder} has no {BASE_FILE}", hint="restore it from git")
        base = unpacked(archive.read_bytes())
        if {path: digest(content) for path, content in base.items()} != dict(file.files):
            raise DataLoss("E_PROJECT_DAMAGED", f"{PROJECT_FILE} and {BASE_FILE} are not of one version of the project",
                           hint="restore both from git")  # fmt: skip
        return cls(folder, file, base)

    def content(self, paths: Iterable[str]) -> dict[str, bytes]:
        """What the author has at these paths."""
        found = {}
        for path in paths:
            file = self.folder / path
            if file.is_file():
                found[path] = file.read_bytes()
        return found

    @property
    def changed(self) -> dict[str, str]:
        """Files that differ from what was rendered: "changed" or "deleted" by path."""
        ours = self.content(self.base)
        return {
            path: "changed" if path in ours else "deleted"
            for path, content in self.base.items()
            if ours.get(path) != content
        }

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in Layer if layer in self.file.templates)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change comes to before anything is written."""

    project: Project
    selection: Selection
    files: Mapping[str, bytes]
    changes: tuple[Change, ...]

    @property
    def waits(self) -> bool:
        """Whether there is anything to write, the project's own files included."""
        return any(change.writes for change in self.changes) or self._own_files() != self.project.content(
            (PROJECT_FILE, BASE_FILE)
        )

    @property
    def conflicts(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.changes if change.outcome is Outcome.CONFLICT)

    def write(self) -> Path | None:
        """Write it as one step; says where old files were copied to. Raises Conflict (E_PROJECT_DIRTY)."""
        folder = self.project.folder
        in_git = _check_committed(folder, [change.path for change in self.changes if change.writes])
        contents: dict[str, bytes | None] = {change.path: change.content for change in self.changes if change.writes}
        return replace_files(folder, {**contents, **self._own_files()}, backup=not in_git)

    def _own_files(self) -> dict[str, bytes]:
        digests = {path: digest(content) for path, content in self.files.items()}
        return {
            PROJECT_FILE: project_file_text(self.selection.project_file(RUNNING, digests)),
            BASE_FILE: packed(self.files),
        }


def planned(
    project: Project, selection: Selection, take_theirs: Collection[str] = (), take_ours: Collection[str] = ()
) -> Plan:
    """The change from a project as it is to a selection. Raises as rendering and `merged`."""
    files = selection.files()
    unknown = sorted({*take_theirs, *take_ours}.difference(files, project.base))
    if unknown:
        raise NotFound("E_PROJECT_UNKNOWN", f"no template writes {', '.join(unknown)}", hint="qmtl project show")
    ours = project.content({*project.base, *files})
    return Plan(project, selection, files, tuple(merged(project.base, files, ours, take_theirs, take_ours)))


def with_answers(shelf: Shelf, project: Project, answers: Mapping[str, Answer]) -> Selection:
    """The project's selection with the templates of today and some answers changed."""
    before = selected_before(shelf, project.file, RUNNING)
    return replace(before, answers={**before.answers, **answers})


def with_layer(shelf: Shelf, project: Project, layer: Layer, template: str, *, with_requires: bool) -> Selection:
    """The project's selection and one layer more. Raises Conflict (E_LAYER_PRESENT), NotReady (E_LAYER_REQUIRES)."""
    if layer in project.layers:
        used = project.file.templates[layer].template
        raise Conflict("E_LAYER_PRESENT", f"the project has {layer} ({used})", hint=f"layer remove {layer} first")
    before = selected_before(shelf, project.file, RUNNING)
    chosen = {one: used.facts.name for one, used in before.templates.items()}
    chosen[layer] = template or DEFAULTS[layer]
    return replace(before, templates=completed(shelf, chosen, before.additions, with_requires=with_requires))


def without_layer(shelf: Shelf, project: Project, layer: Layer) -> Selection:
    """The project's selection without a layer. Raises InvalidRequest (E_LAYER_UNKNOWN), NotReady (E_LAYER_NEEDED)."""
    if layer not in project.layers:
        raise InvalidRequest(
            "E_LAYER_UNKNOWN", f"the project has no {layer}", hint=f"it has {', '.join(project.layers)}"
        )
    before = selected_before(shelf, project.file, RUNNING)
    needing = [called(one) for one in before.all_templates if layer in needs(one)]
    if needing or project.layers == (layer,):
        why = f"{', '.join(needing)} cannot be without it" if needing else "it is the only layer"
        raise NotReady("E_LAYER_NEEDED", f"{layer} stays: {why}")
    templates = {one: used for one, used in before.templates.items() if one is not layer}
    known = replace(before, templates=templates, answers={}).parameters
    return replace(before, templates=templates, answers={k: v for k, v in before.answers.items() if k in known})


def version_steps(project: Project, selection: Selection) -> list[str]:
    """What an author should know of an update before its differences.

    Templates of another version than the project was made with, as "signal/x 1.0.0 -> 2.0.0", with the notes of their
    migrations; answers that no template asks for any more.
    """
    used = {f"{place}/{one.template}": one for place, one in project.file.templates.items()}
    used |= {f"{ADDITION}/{one.template}": one for one in project.file.additions}
    steps = []
    for template in selection.all_templates:
        before = used.get(template.facts.key)
        if before is None or before.version == str(template.facts.version):
            continue
        steps.append(f"{template.facts.key} {before.version} -> {template.facts.version}")
        steps += notes_between(template.migrations, Version(before.version), template.facts.version)
    asked = selection.parameters
    dropped = {name: answer for name, answer in project.file.answers.items() if name not in asked}
    return steps + [f"no template asks for {name} any more; it was {answer!r}" for name, answer in dropped.items()]


def _git(folder: Path, *words: str) -> set[str] | None:
    """Paths that git answers with; None: it cannot say."""
    done = subprocess.run(
        [shutil.which("git") or "git", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return None if done.returncode else {line for line in done.stdout.split("\0") if line}


def _check_committed(folder: Path, paths: list[str]) -> bool:
    """Whether the folder is in a git work tree; there files that are to change must be committed."""
    git = shutil.which("git")
    if git is None:
        return False
    inside = subprocess.run([git, "rev-parse", "--is-inside-work-tree"], cwd=folder, capture_output=True, check=False)
    if inside.returncode:
        return False
    changed = _git(folder, "diff", "--name-only", "-z", "--relative", "HEAD", "--", *paths)
    tracked = _git(folder, "ls-files", "-z", "--", *paths)
    there = [path for path in paths if (folder / path).exists()]
    if changed is None or tracked is None:  # nothing was committed yet
        dirty = there
    else:
        dirty = [path for path in paths if path in changed or (path not in tracked and path in there)]
    if dirty:
        raise Conflict("E_PROJECT_DIRTY", f"not committed: {', '.join(dirty)}", hint="git add and commit first")
    return True
