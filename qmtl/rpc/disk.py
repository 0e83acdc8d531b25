"""Whether a disk takes what a service writes: space, rights, and a real file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from qmtl.config.files import FILE_MODE, private_folder

PROBE_BYTES: Final = 4096


def disk_fault(folder: Path, free_min_bytes: int) -> str:
    """Why nothing can be written below a folder, "" when it can: the path, the bytes free and what is wanted."""
    try:
        private_folder(folder)
        stat = os.statvfs(folder)
    except OSError as error:
        return f"{folder} cannot be used: {error.strerror}"
    free = stat.f_bavail * stat.f_frsize
    if stat.f_flag & os.ST_RDONLY:
        return f"{folder} is on a read-only disk"
    if free < free_min_bytes:
        return f"{folder} has {free} bytes free, want {free_min_bytes}"
    try:
        _write_and_remove(folder / f".write-{os.getpid()}")
    except OSError as error:
        return f"{folder} takes no write of {PROBE_BYTES} bytes, {free} are free: {error.strerror}"
    return ""


async def checked(folder: Path, free_min_bytes: int) -> str:
    """The same beside the event loop."""
    return await asyncio.to_thread(disk_fault, folder, free_min_bytes)


def _write_and_remove(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        if os.write(handle, bytes(PROBE_BYTES)) < PROBE_BYTES:
            raise OSError(28, "No space left on device")
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
