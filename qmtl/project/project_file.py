"""`qmtl-project.toml`: what a project was made of. Committed with the project, written by commands only."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import tomli_w
from packaging.version import InvalidVersion, Version

from qmtl.core.errors import DataLoss, NotFound, NotReady
from qmtl.project.parameters import Answer

RUNNING = version("qmtl")
PROJECT_FILE, BASE_FILE = "qmtl-project.toml", ".qmtl-base.tgz"
SCHEMA = 1
_HEAD = "# Written by `qmtl project`; change it by its commands: `qmtl project show`, `qmtl project update --set`.\n"


@dataclass(frozen=True, slots=True)
class Used:
    """A template that a project was made with."""

    template: str
    version: str
    source: str


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """`templates`: by layer, and "frame"; `additions`: of no layer; `files`: SHA-256 of each as it was rendered."""

    qmtl: str
    preset: str
    templates: Mapping[str, Used]
    additions: tuple[Used, ...]
    answers: Mapping[str, Answer]
    files: Mapping[str, str]


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def project_file_text(project: ProjectFile) -> bytes:
    """The file's bytes, with sorted keys."""
    document = {
        "schema": SCHEMA,
        "qmtl": project.qmtl,
        "preset": project.preset,
        "templates": {place: _used(project.templates[place]) for place in sorted(project.templates)},
        "additions": [_used(one) for one in project.additions],
        "answers": dict(sorted(project.answers.items())),
        "files": dict(sorted(project.files.items())),
    }
    return (_HEAD + tomli_w.dumps(document)).encode()


def read_project_file(folder: Path, running: str) -> ProjectFile:
    """The project in a folder, for a package of the version `running`.

    Raises NotFound (E_PROJECT_UNKNOWN) without the file, DataLoss (E_PROJECT_DAMAGED) for one that cannot be read,
    NotReady (E_PROJECT_NEWER) for a project of a newer version.
    """
    path = folder / PROJECT_FILE
    if not path.is_file():
        hint = "qmtl project init --path P makes one"
        raise NotFound("E_PROJECT_UNKNOWN", f"{folder} has no {PROJECT_FILE}", hint=hint)
    return project_from_text(path.read_bytes(), str(path), running)


def project_from_text(content: bytes, path: str, running: str) -> ProjectFile:
    """What a project file says; `path`: where errors say it is. Raises as `read_project_file`."""
    try:
        document = tomllib.loads(content.decode())
        made_by, schema = Version(document["qmtl"]), int(document["schema"])
        if made_by > Version(running) or schema > SCHEMA:
            message = f"{path} is of qmtl {made_by} (schema {schema}), this is qmtl {running} (schema {SCHEMA})"
            raise NotReady("E_PROJECT_NEWER", message, hint=f"pip install 'qmtl>={made_by}'")
        return ProjectFile(
            qmtl=str(document["qmtl"]),
            preset=str(document["preset"]),
            templates={place: _used_before(fields) for place, fields in document["templates"].items()},
            additions=tuple(_used_before(fields) for fields in document["additions"]),
            answers=dict(document["answers"]),
            files={name: str(value) for name, value in document["files"].items()},
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, InvalidVersion) as error:
        what = f"{type(error).__name__}: {error}"
        raise DataLoss("E_PROJECT_DAMAGED", f"{path} cannot be read: {what}", hint="restore it from git") from None


def _used_before(fields: Mapping[str, str]) -> Used:
    used = Used(**fields)
    Version(used.version)
    return used


def _used(one: Used) -> dict[str, str]:
    return {"template": one.template, "version": one.version, "source": one.source}
