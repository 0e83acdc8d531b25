"""Bars as Parquet files: written beside, synced, then renamed, so that no reader ever sees half a file.

A file that cannot be written, or read as it was written, is an error that names it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import polars as pl

from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, Exhausted
from seamless.domain.bars import VALUES, Bars, of_values

SCHEMA = pl.Schema({"open_time": pl.Datetime("ns", "UTC"), **dict.fromkeys(VALUES, pl.Float64()), "flags": pl.UInt8()})


def write_file(path: Path, content: bytes) -> str:
    """Make a file durable under its name; its SHA-256. Raises Exhausted (E_DISK_SMALL): nothing is left behind."""
    beside = path.with_name(f".{path.name[:100]}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        text = f"{path}: {error.strerror}, {len(content)} bytes were to be kept"
        raise Exhausted("E_DISK_SMALL", text, hint="free space, or choose another data_dir") from error
    finally:
        with suppress(OSError):
            beside.unlink()
    return hashlib.sha256(content).hexdigest()


def parquet(table: Bars) -> bytes:
    """Bars as the content of a zstd Parquet file."""
    out = io.BytesIO()
    frame_of(table).write_parquet(out, compression="zstd")
    return out.getvalue()


def read_frame(path: Path, sha256: str) -> pl.DataFrame:
    """The bars of a file. Raises as `read_table`, also for a file with other columns."""
    frame = read_table(path, sha256)
    if frame.schema != SCHEMA:
        raise DataLoss("E_STORED_FILE", f"{path} has other columns than bars", metadata=_named(path))
    return frame


def read_table(path: Path, sha256: str) -> pl.DataFrame:
    """The rows of a file, its bytes compared with their hash.

    Raises FileNotFoundError, DataLoss (E_STORED_FILE) for a file that is cut off, changed or cannot be read.
    """
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataLoss("E_STORED_FILE", f"{path} is not what was written: its hash differs", metadata=_named(path))
        frame = pl.read_parquet(content)
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "gone", str(path)) from error
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataLoss("E_STORED_FILE", f"{path} cannot be read: {error}"[:500], metadata=_named(path)) from error
    return frame


def ipc(part: pl.DataFrame) -> bytes:
    """One self-contained Arrow IPC stream."""
    return part.write_ipc_stream(None).getvalue()


def frame_of(table: Bars) -> pl.DataFrame:
    """Bars as the table that is stored and sent."""
    columns = zip(SCHEMA, table.columns(), strict=True)
    frame = pl.DataFrame({name: np.asarray(column) for name, column in columns})
    return frame.with_columns(pl.col("open_time").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"))


def bars_of(frame: pl.DataFrame) -> Bars:
    """Bars of a stored table."""
    values = [frame[name].to_numpy() for name in VALUES]
    return of_values(frame["open_time"].to_physical().to_numpy(), values, frame["flags"].to_numpy())


def rows_within(rows: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows that open inside a span, of rows in order."""
    opens = rows["open_time"].to_physical()
    first, last = (int(opens.search_sorted(edge, "left")) for edge in (span.start_ns, span.end_ns))
    return rows.slice(first, last - first)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _named(path: Path) -> dict[str, str]:
    return {"file": str(path)}
