"""Shelves of templates that a test writes, and edits that an author might make."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from qmtl.project.project_file import RUNNING
from qmtl.project.selection import Selection, select
from qmtl.project.shelf import Shelf, Source, installed_shelf

OWN = installed_shelf()


def lay_texts(folder: Path, files: Mapping[str, str]) -> None:
    """Write these files below a folder."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def written(folder: Path, files: Mapping[str, str], package: str = "test-templates") -> Shelf:
    """A shelf whose folder has these files."""
    lay_texts(folder, files)
    return Shelf([Source(package, "1.0", folder)])


def template_toml(place: str, name: str, files: Mapping[str, str], more: str = "", *, version: str = "1.0.0") -> str:
    """A template's metadata with the given files."""
    lines = [f'{path!r} = "{source}"'.replace("'", '"') for path, source in files.items()]
    return (
        f'name = "{name}"\nlayer = "{place}"\nsummary = "of a test"\nversion = "{version}"\nqmtl = ">=0"\n'
        f'docs = "none"\n{more}\n[files]\n' + "\n".join(lines) + "\n"
    )


def preset(chosen: str, /, **answers: str | int | float) -> Selection:
    """A preset's selection with answers."""
    return select(OWN, RUNNING, preset=chosen, answers=answers)


EDITS = ("none", "beside", "overlap", "delete", "rename")


def edited(text: bytes, seed: random.Random) -> tuple[bytes | None, list[str], str]:
    """A file as an author leaves it, None when it is not there any more; the author's own lines; the kind of edit."""
    lines = text.decode().splitlines(keepends=True)
    kind = seed.choice(EDITS)
    if kind == "none":
        return text, [], kind
    if kind in ("delete", "rename"):
        return None, [], kind
    own = [f"# the author's line {seed.randrange(10**9)}\n" for _ in range(seed.randint(1, 3))]
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    at = seed.randint(0, len(lines) - 1)
    if kind == "overlap":  # stands where the template's own line was, and as often as not where that one changes
        lines[at : at + seed.randint(1, len(lines))] = own
    else:
        lines[at:at] = own
    return "".join(lines).encode(), own, kind
