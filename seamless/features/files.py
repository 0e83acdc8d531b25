"""Feature rows as Parquet, as they are kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl

from seamless.domain.features import Feature, FeatureRows
from seamless.domain.ranges import Range
from seamless.features.arrow import TIME
from seamless.storage.files import ipc, read_table, write_file

BATCH_ROWS = 16_384


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
