"""Feature rows as Arrow, as they are sent, and as Parquet, as they are kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl

from qmtl.core.errors import refused
from seamless.domain.features import Feature, FeatureRows
from seamless.domain.ranges import Range
from seamless.storage.files import ipc, read_table, write_file

TIME = "time_ns"
BATCH_ROWS = 16_384


def rows_of_arrow(body: bytes) -> tuple[FeatureRows, dict[str, str]]:
    """Rows of one Arrow IPC stream, and numpy's kind of each column. Raises InvalidRequest (E_FEATURE_ROWS)."""
    try:
        frame = pl.read_ipc_stream(io.BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise refused("E_FEATURE_ROWS", "arrow_ipc", str(error)[:100], "one Arrow IPC stream") from None
    if TIME not in frame.columns or frame.schema[TIME] != pl.Int64:
        raise refused("E_FEATURE_ROWS", "columns", ", ".join(frame.columns)[:80], f"{TIME} as int64")
    values = {name: frame[name] for name in frame.columns if name != TIME}
    for name, column in values.items():
        if column.dtype != pl.Float64 or column.has_nulls():
            what = "with nulls" if column.has_nulls() else str(column.dtype)
            raise refused("E_FEATURE_ROWS", name[:80], what, "float64 without nulls")
    if frame[TIME].has_nulls():
        raise refused("E_FEATURE_ROWS", TIME, "with nulls", "int64 without nulls")
    columns = {name: column.to_numpy().copy() for name, column in values.items()}
    return FeatureRows(frame[TIME].to_numpy().copy(), columns), {TIME: "i", **dict.fromkeys(columns, "f")}


class FeatureFiles:
    """The folder of features, by world."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, world_id: str, fingerprint: str, rows: FeatureRows) -> str:
        """Make a feature's rows durable; the file's SHA-256. Raises Exhausted (E_DISK_SMALL)."""
        out = io.BytesIO()
        frame = pl.DataFrame({TIME: rows.time_ns, **{name: np.asarray(v) for name, v in rows.columns.items()}})
        frame.write_parquet(out, compression="zstd")
        return write_file(self._path(world_id, fingerprint), out.getvalue())

    def parts(self, feature: Feature, span: Range) -> Iterator[tuple[int, bytes]]:
        """The rows of a range in batches, each with how many it has; work for a thread.

        Raises FileNotFoundError, DataLoss (E_STORED_FILE).
        """
        frame = read_table(self._path(feature.world_id, feature.fingerprint), feature.sha256)
        if span.start_ns is not None:
            frame = frame.filter(pl.col(TIME) >= span.start_ns)
        if span.end_ns is not None:
            frame = frame.filter(pl.col(TIME) < span.end_ns)
        for part in frame.iter_slices(BATCH_ROWS) if len(frame) else ():
            yield len(part), ipc(part)

    def _path(self, world_id: str, fingerprint: str) -> Path:
        return self._root / quote(world_id, safe="") / f"{fingerprint.removeprefix('sha256:')}.parquet"
