"""Three versions of a project's files to one: as rendered before, as rendered now, as the author has them.

No line of an author is lost: it stays, or it stands between conflict markers.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from qmtl.core.errors import AlreadyExists, NotReady


class Outcome(Enum):
    """What becomes of one file."""

    CREATED = "new"
    REPLACED = "replaced"
    MERGED = "merged"
    CONFLICT = "conflict"
    REMOVED = "removed"
    KEPT = "kept"
    LEFT_DELETED = "stays deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """`content`: what the file is to have; None: no file."""

    path: str
    outcome: Outcome
    content: bytes | None

    @property
    def writes(self) -> bool:
        return self.outcome not in (Outcome.KEPT, Outcome.LEFT_DELETED)


def merged(
    base: Mapping[str, bytes],
    theirs: Mapping[str, bytes],
    ours: Mapping[str, bytes],
    take_theirs: Collection[str] = (),
    take_ours: Collection[str] = (),
) -> list[Change]:
    """A change for every path of `base` and `theirs` that differs from what `ours` has or from what was rendered.

    `ours` has the author's content of those of these paths that exist. `take_theirs`, `take_ours`: files that are not
    merged but decided. Raises AlreadyExists (E_FILE_TAKEN) where a new file would replace one of the author's, NotReady
    (E_GIT_MISSING) where two changes meet and there is no git.
    """
    taken = [
        path
        for path in sorted(theirs)
        if path not in base and path in ours and ours[path] != theirs[path] and path not in {*take_theirs, *take_ours}
    ]
    if taken:
        first = taken[0]
        shown = theirs[first].decode(errors="replace")
        message = f"{', '.join(taken)} {'is' if len(taken) == 1 else 'are'} the author's, and a template has its own"
        error = AlreadyExists("E_FILE_TAKEN", message, hint=f"--theirs {first} or --ours {first}, or rename it")
        error.add_note(f"the template's {first}:\n{shown}")
        raise error
    changes = []
    for path in sorted({*base, *theirs}):
        change = _one(path, base.get(path), theirs.get(path), ours.get(path), path in take_theirs, path in take_ours)
        if change is not None:
            changes.append(change)
    return changes


def _one(
    path: str, base: bytes | None, theirs: bytes | None, ours: bytes | None, take_theirs: bool, take_ours: bool
) -> Change | None:
    if theirs == ours:
        return None
    if take_theirs:
        outcome = Outcome.REMOVED if theirs is None else Outcome.CREATED if ours is None else Outcome.REPLACED
        return Change(path, outcome, theirs)
    if ours is None:
        return Change(path, Outcome.CREATED, theirs) if base is None else Change(path, Outcome.LEFT_DELETED, None)
    if take_ours or theirs == base:
        return Change(path, Outcome.KEPT, ours)
    if theirs is None:
        return Change(path, Outcome.REMOVED, None) if ours == base else Change(path, Outcome.KEPT, ours)
    if ours == base:
        return Change(path, Outcome.REPLACED, theirs)
    content, conflicts = _merged_text(ours, base or b"", theirs)
    return Change(path, Outcome.CONFLICT if conflicts else Outcome.MERGED, content)


def _merged_text(ours: bytes, base: bytes, theirs: bytes) -> tuple[bytes, bool]:
    git = shutil.which("git")
    if git is None:
        raise NotReady("E_GIT_MISSING", "two changes of one file are merged by git, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in (("yours", ours), ("before", base), ("template", theirs)):
            paths.append(Path(folder, name))
            paths[-1].write_bytes(content)
        labels = [part for name in ("yours", "before", "template") for part in ("-L", name)]
        done = subprocess.run(
            [git, "merge-file", "-p", "--diff3", *labels, *map(str, paths)], capture_output=True, check=False
        )
    if done.returncode > 127:  # git says so of what it cannot merge, such as binary files: both are kept
        return ours + b"\n<<<<<<< template\n" + theirs + b"\n>>>>>>> template\n", True
    return done.stdout, done.returncode > 0
