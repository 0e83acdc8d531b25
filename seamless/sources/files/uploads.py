"""A file that somebody gave: what was said of it, and its content as it is kept."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from qmtl.calendars.published import calendar_named
from qmtl.core.errors import NotReady, refused
from qmtl.core.volumes import VolumeUnit
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.terms import DatasetTerms
from seamless.sources.files.detection import FileHints, FileLayout, detect

CONTENT_BYTES_MAX = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file under a name; `path` is its content, compressed."""

    name: str
    file_name: str
    path: Path
    sha256: str
    hints: FileHints
    calendar: str
    final: bool
    strictness: str
    volume_unit: VolumeUnit
    terms: DatasetTerms
    giver: str  # the subject that added it

    @property
    def producer(self) -> str:
        """Where the bars come from, for the manifest."""
        return f"file {self.file_name or self.name} by {self.giver}"


def inflate(content: bytes) -> bytes:
    """A file as it was before it was compressed. Raises InvalidRequest (E_FILE_LAYOUT)."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(content, CONTENT_BYTES_MAX)
    except zlib.error as error:
        raise refused("E_FILE_LAYOUT", "content", str(error), "bytes that zlib compressed") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise refused("E_FILE_LAYOUT", "content", "cut off or too long", f"a whole file of at most {CONTENT_BYTES_MAX}")
    return plain


def read_upload(source: UploadedFile) -> tuple[RawColumns, FileLayout]:
    """The columns of a kept file and how it was read.

    Raises NotReady (E_DATASET_UNAVAILABLE) if it is gone, InvalidRequest as `detect` does.
    """
    try:
        content = source.path.read_bytes()
    except OSError as error:
        raise NotReady("E_DATASET_UNAVAILABLE", f"{source.path}: {error.strerror}") from error
    return detect(inflate(content), source.hints, calendar_named(source.calendar))
