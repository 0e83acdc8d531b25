"""The files of a project as they were rendered, in one archive whose bytes depend on nothing else.

A tar in a gzip container of stored blocks: what compressors make of the same bytes differs between their versions.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping

from qmtl.core.errors import DataLoss

_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
_BLOCK_MAX = 0xFFFF


def packed(files: Mapping[str, bytes]) -> bytes:
    """Equal files give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return _stored(buffer.getvalue())


def unpacked(content: bytes) -> dict[str, bytes]:
    """Raises DataLoss (E_PROJECT_DAMAGED) for bytes that are no such archive."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content)), mode="r:") as archive:
            for entry in archive:
                file = archive.extractfile(entry)
                if file is None:
                    raise tarfile.TarError(f"{entry.name} is no file")
                found[entry.name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataLoss("E_PROJECT_DAMAGED", f"the archive of rendered files is damaged: {error}") from None
    return found


def _stored(data: bytes) -> bytes:
    parts = [_HEADER]
    for at in range(0, len(data), _BLOCK_MAX):
        block = data[at : at + _BLOCK_MAX]
        last = at + _BLOCK_MAX >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])
