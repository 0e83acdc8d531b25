"""What an author has to do at a major step of a template: sections of its `migrations.md`, headed `## 2.0.0`."""

from __future__ import annotations

import re

from packaging.version import Version

FILE = "migrations.md"
FIRST_MAJOR = 2
"""The first version that cannot be without notes: what was before 1.0.0 promised nothing."""
_HEADING = re.compile(r"^## +(\d+\.\d+\.\d+) *$", re.MULTILINE)


def headed(text: str) -> dict[Version, str]:
    """Notes by the version that they lead to."""
    _, *parts = _HEADING.split(text)
    return {Version(version): note.strip() for version, note in zip(parts[::2], parts[1::2], strict=True)}


def notes_between(text: str, before: Version, now: Version) -> list[str]:
    """Notes of the versions after `before` up to `now`, oldest first, each with its version."""
    found = sorted(headed(text).items())
    return [f"{version}: {note}" for version, note in found if before < version <= now]


def explains(text: str, version: Version) -> bool:
    """Whether there are notes for the step to this major version."""
    return version.major < FIRST_MAJOR or bool(headed(text).get(Version(f"{version.major}.0.0")))
