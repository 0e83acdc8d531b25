"""Files that only their owner may read, from the moment they exist: no mode is changed after the fact.

A replaced file appears whole or not at all, so a full disk leaves the one that was there.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

PRIVATE_UMASK: Final = 0o077
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def private_folder(folder: Path) -> Path:
    """The folder; it and every parent that is missing are made with mode 0700. Raises OSError."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    return folder


def close_to_others(folder: Path) -> None:
    """Take a folder that somebody made with wider rights from everybody but its owner. Raises OSError."""
    if folder.stat().st_mode & PRIVATE_UMASK:
        folder.chmod(FOLDER_MODE)


def private_file(path: Path) -> None:
    """Make an empty file of mode 0600 unless there is one, for a library that would make it readable by all."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))


def open_to_append(path: Path) -> BinaryIO:
    """A file of mode 0600, its folder included, to write at its end. Raises OSError."""
    private_folder(path.parent)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "ab")


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step by one of mode 0600. Raises OSError; then the file is as it was."""
    temporary = beside(path, text)
    try:
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def create_once(path: Path, text: str) -> None:
    """Link a finished file of mode 0600 into place: the first process wins and no one ever reads half of it."""
    temporary = beside(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def beside(path: Path, text: str) -> Path:
    """A finished file of mode 0600 in the folder of `path`, to be linked or renamed. Raises OSError, leaving none."""
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        os.unlink(name)
        raise
    return Path(name)
