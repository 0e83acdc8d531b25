"""Files that a command writes where its caller says: the whole file or none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from qmtl.core.errors import refused


def write_whole(path: Path, content: bytes, option: str) -> None:
    """Raises InvalidRequest (E_FIELD) naming the option where the file cannot be written."""
    beside = path.parent / f".{path.name[:100]}.{uuid4().hex}.part"
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise refused("E_FIELD", option, f"{path}: {error.strerror}", "a file that can be written") from error
    finally:
        with suppress(OSError):
            beside.unlink()
