"""Changes of a project's files as one step: a process that ends at any point leaves the old project or the new one.

New contents are staged first, then a journal names every step, and from then on the steps are carried out by whoever
comes: this command, or the next one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from qmtl.core.errors import AlreadyExists, DataLoss
from qmtl.project.project_file import digest

STAGE = ".qmtl-stage"
BACKUP = ".qmtl-backup"
BACKUPS_MAX = 5
_JOURNAL = "journal.json"


def create(target: Path, files: Mapping[str, bytes]) -> None:
    """A new folder with these files, which appears whole. Raises AlreadyExists (E_PROJECT_NOT_EMPTY)."""
    require_empty(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".{target.name}.{os.getpid()}.new"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for path, content in files.items():
            _write(beside / path, content)
        with suppress(FileNotFoundError):
            target.rmdir()
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def require_empty(target: Path) -> None:
    """Raises AlreadyExists (E_PROJECT_NOT_EMPTY)."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise AlreadyExists("E_PROJECT_NOT_EMPTY", f"{target} is there and not an empty folder", hint="another --path")


def replace_files(folder: Path, contents: Mapping[str, bytes | None], *, backup: bool) -> Path | None:
    """Give each path its content, None for no file. With `backup` the old files are copied first; says where to.

    Raises as `finish`, before anything is written.
    """
    finish(folder)
    for path in contents:
        _below(folder, path)
    kept = _backup(folder, contents) if backup else None
    stage = folder / STAGE
    steps = []
    for number, (path, content) in enumerate(contents.items()):
        if content is None:
            steps.append({"path": path, "staged": "", "digest": ""})
            continue
        _write(stage / str(number), content)
        steps.append({"path": path, "staged": str(number), "digest": digest(content)})
    draft = stage / f"{_JOURNAL}.new"
    _write(draft, json.dumps(steps).encode())
    draft.rename(stage / _JOURNAL)
    _flush_folder(stage)
    finish(folder)
    return kept


def finish(folder: Path) -> bool:
    """Carry out what an earlier command left, or forget what it had not decided; whether there was something to do.

    Raises DataLoss (E_PROJECT_DAMAGED) for a path that leads out of the project, also by a link.
    """
    stage = folder / STAGE
    if not stage.exists():
        return False
    journal = stage / _JOURNAL
    if journal.exists():
        for step in json.loads(journal.read_text(encoding="utf-8")):
            target = _below(folder, step["path"])
            if not step["staged"]:
                target.unlink(missing_ok=True)
                _remove_empty(target.parent, folder)
            elif (staged := _below(stage, step["staged"])).exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                staged.rename(target)
        _flush_folder(folder)
        journal.unlink()
    shutil.rmtree(stage)
    return True


def _backup(folder: Path, paths: Mapping[str, object]) -> Path | None:
    old = [path for path in paths if (folder / path).is_file()]
    if not old:
        return None
    place = folder / BACKUP
    numbers = sorted(int(child.name) for child in place.iterdir() if child.name.isdigit()) if place.is_dir() else []
    made = place / str(numbers[-1] + 1 if numbers else 1)
    for path in old:
        _write(made / path, (folder / path).read_bytes())
    for number in numbers[: max(0, len(numbers) + 1 - BACKUPS_MAX)]:
        shutil.rmtree(place / str(number))
    return made


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _below(folder: Path, path: str) -> Path:
    found = folder / path
    if ".." in Path(path).parts or not found.parent.resolve().is_relative_to(folder.resolve()):
        hint = f"look at what {STAGE} and the links of the project are"
        raise DataLoss("E_PROJECT_DAMAGED", f"{path!r} leads out of {folder}", hint=hint)
    return found


def _remove_empty(folder: Path, above: Path) -> None:
    while folder != above and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
