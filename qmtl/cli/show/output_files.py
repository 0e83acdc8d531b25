"""Files that a command writes where its caller says: the whole file or none."""

from __future__ import annotations

from pathlib import Path

from qmtl.core.errors import refused


def write_whole(path: Path, content: bytes, option: str) -> None:
    """Raises InvalidRequest (E_FIELD) naming the option where the file cannot be written."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise refused("E_FIELD", option, f"{path}: {error.strerror}", "a file that can be written") from error
