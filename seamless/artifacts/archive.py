"""Sealed bars on disk: one immutable zstd Parquet file for each dataset, month and leaf.

A file's name is the hash of its content, so two writers write the same thing and no reader ever sees
a half-written one: it is written beside, synced, then renamed. Nothing here is ever changed.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import polars as pl

from qmtl.calendars.spans import Span
from qmtl.core.errors import NotReady
from seamless.domain import fingerprints
from seamless.domain.bars import VALUES, Bars, of_values
from seamless.domain.fingerprints import Leaf
from seamless.domain.manifests import Manifest

BATCH_ROWS = 16_384  # 0.8 MB: larger ones cost more in fresh memory than they save in calls
_SCHEMA = pl.Schema({"open_time": pl.Datetime("ns", "UTC"), **dict.fromkeys(VALUES, pl.Float64()), "flags": pl.UInt8()})


class Archive:
    """The folder of sealed bars."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, manifest: Manifest, table: Bars) -> None:
        """Make every leaf of a manifest, and the manifest itself, durable."""
        months = dict(fingerprints.by_month(table))
        for leaf in manifest.leaves:
            path = self._leaf_path(manifest.dataset, leaf)
            if not path.exists():
                _replace(path, frame_of(months[leaf.month]))
        described = self._folder(manifest.dataset) / f"{manifest.fingerprint.removeprefix('sha256:')}.json"
        if not described.exists():
            _replace(described, _describe(manifest))

    def parts(self, manifest: Manifest, span: Span) -> Iterator[pl.DataFrame]:
        """The rows that open inside a span, at most `BATCH_ROWS` at a time; a month is read when its turn comes.

        Raises NotReady (E_ARTIFACT_MISSING) if a file is gone.
        """
        for leaf in manifest.leaves:
            if not _overlaps(leaf.month, span):
                continue
            try:
                rows = _slice(pl.read_parquet(self._leaf_path(manifest.dataset, leaf)), span)
            except FileNotFoundError as error:
                raise NotReady(
                    "E_ARTIFACT_MISSING", f"{manifest.dataset}: a file of artifact {manifest.fingerprint} is gone"
                ) from error
            if len(rows):
                yield from rows.iter_slices(BATCH_ROWS)

    def bars(self, manifest: Manifest, span: Span) -> Bars:
        """The same rows as arrays."""
        return bars_of(pl.concat([pl.DataFrame(schema=_SCHEMA), *self.parts(manifest, span)]))

    def _folder(self, dataset: str) -> Path:
        return self._root / quote(dataset, safe="")

    def _leaf_path(self, dataset: str, leaf: Leaf) -> Path:
        return self._folder(dataset) / leaf.month / f"{leaf.digest.removeprefix('sha256:')}.parquet"


def ipc(part: pl.DataFrame) -> bytes:
    """One self-contained Arrow IPC stream."""
    return part.write_ipc_stream(None).getvalue()


def frame_of(table: Bars) -> pl.DataFrame:
    """Bars as the table that is stored and sent."""
    columns = zip(_SCHEMA, table.columns(), strict=True)
    frame = pl.DataFrame({name: np.asarray(column) for name, column in columns})
    return frame.with_columns(pl.col("open_time").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"))


def bars_of(frame: pl.DataFrame) -> Bars:
    """Bars of a stored table."""
    values = [frame[name].to_numpy() for name in VALUES]
    return of_values(frame["open_time"].to_physical().to_numpy(), values, frame["flags"].to_numpy())


def _slice(rows: pl.DataFrame, span: Span) -> pl.DataFrame:
    opens = rows["open_time"].to_physical()
    first, last = (int(opens.search_sorted(edge, "left")) for edge in (span.start_ns, span.end_ns))
    return rows.slice(first, last - first)


def _overlaps(month: str, span: Span) -> bool:
    whole = fingerprints.month_span(month)
    return whole.start_ns < span.end_ns and span.start_ns < whole.end_ns


def _replace(path: Path, content: pl.DataFrame | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content.write_parquet(file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _describe(manifest: Manifest) -> bytes:
    document = {
        "dataset": manifest.dataset,
        "fingerprint": manifest.fingerprint,
        "as_of_ns": manifest.as_of_ns,
        "start_ns": manifest.span.start_ns,
        "end_ns": manifest.span.end_ns,
        "rows": manifest.rows,
        "rule_version": manifest.rule_version,
        "policy": manifest.policy,
        "calendar": {"name": manifest.calendar, "version": manifest.calendar_version},
        "producer": manifest.producer,
        "watermark_ns": manifest.watermark_ns,
        "cut_of": manifest.cut_of,
        "leaves": [{"month": leaf.month, "digest": leaf.digest, "rows": leaf.rows} for leaf in manifest.leaves],
    }
    return json.dumps(document, indent=2).encode() + b"\n"
