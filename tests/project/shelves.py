"""Shelves of templates that a test writes, and edits that an author might make."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from qmtl.project.operations import RUNNING
from qmtl.project.selection import Selection, select
from qmtl.project.shelf import Shelf, Source, installed_shelf

OWN = installed_shelf()


def written(folder: Path, files: Mapping[str, str]) -> Shelf:
    """A shelf whose folder has these files."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return Shelf([Source("test-templates", "1.0", folder)])


def template_toml(place: str, name: str, files: Mapping[str, str], more: str = "") -> str:
    """A template's metadata with the given files."""
    lines = [f'{path!r} = "{source}"'.replace("'", '"') for path, source in files.items()]
    return (
        f'name = "{name}"\nlayer = "{place}"\nsummary = "of a test"\nversion = "1.0.0"\nqmtl = ">=0"\ndocs = "none"\n'
        f"{more}\n[files]\n" + "\n".join(lines) + "\n"
    )


def preset(chosen: str, /, **answers: str | int | float) -> Selection:
    """A preset's selection with answers."""
    return select(OWN, RUNNING, preset=chosen, answers=answers)


def edited(text: bytes, seed: random.Random) -> tuple[bytes | None, list[str]]:
    """A file as an author leaves it, None when deleted, and the lines that are the author's own."""
    lines = text.decode().splitlines(keepends=True)
    kind = seed.choice(("none", "append", "insert", "change", "delete"))
    if kind == "none":
        return text, []
    if kind == "delete":
        return None, []
    own = [f"# the author's line {seed.randrange(10**9)}\n" for _ in range(seed.randint(1, 3))]
    at = {"append": len(lines), "insert": seed.randint(0, len(lines)), "change": seed.randint(0, len(lines) - 1)}[kind]
    if kind == "append" and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    lines[at : at + (kind == "change")] = own
    return "".join(lines).encode(), own
