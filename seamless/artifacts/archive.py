"""Sealed bars on disk: one immutable zstd Parquet file for each dataset, month and leaf.

A file's name is the hash of its rows, so two writers write the same thing. Nothing here is ever changed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl

from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, NotReady
from seamless.domain import fingerprints
from seamless.domain.bars import Bars
from seamless.domain.fingerprints import Leaf
from seamless.domain.manifests import Manifest
from seamless.storage.files import SCHEMA, bars_of, parquet, read_frame, rows_within, write_file

REMEMBERED_MAX = 512
BATCH_ROWS = 16_384  # 0.8 MB: larger ones cost more in fresh memory than they save in calls


class Archive:
    """The folder of sealed bars."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hashes: dict[str, Mapping[str, str]] = {}

    def write(self, manifest: Manifest, table: Bars) -> None:
        """Make every leaf of a manifest, and the manifest itself, durable. What a run was given may be sealed later.

        Raises Exhausted (E_DISK_SMALL), DataLoss (E_STORED_FILE) if a file that is there has other rows.
        """
        months = dict(fingerprints.by_month(table))
        hashes = {}
        for leaf in manifest.leaves:
            path, rows = self.leaf_path(manifest.dataset, leaf), months[leaf.month]
            hashes[leaf.month] = self.keep(manifest.dataset, leaf, rows) or _hash_of_kept(path, rows)
        self._describe(manifest, hashes)

    def keep(self, dataset: str, leaf: Leaf, rows: Bars) -> str:
        """Make the rows of a leaf durable; the hash of their file, empty if it was there already.

        Raises Exhausted (E_DISK_SMALL). A file that no manifest comes to name is found again by its rows.
        """
        path = self.leaf_path(dataset, leaf)
        return "" if path.exists() else write_file(path, parquet(rows))

    def write_kept(self, manifest: Manifest) -> None:
        """Make a manifest durable whose leaves are kept already; each is read once more.

        Raises Exhausted (E_DISK_SMALL), DataLoss (E_STORED_FILE) if a file has other rows than its name says.
        """
        self._describe(manifest, {leaf.month: self._hash_of_leaf(manifest.dataset, leaf) for leaf in manifest.leaves})

    def _hash_of_leaf(self, dataset: str, leaf: Leaf) -> str:
        path = self.leaf_path(dataset, leaf)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if fingerprints.leaf_digest(dataset, leaf.month, bars_of(read_frame(path, sha256))) != leaf.digest:
            raise _other_rows(path)
        return sha256

    def _describe(self, manifest: Manifest, hashes: Mapping[str, str]) -> None:
        described = self.manifest_path(manifest)
        if not described.exists() or (not manifest.cut_of and hashes_of(described)[1].get("cut_of")):
            document = description(manifest)
            for leaf in document["leaves"]:
                leaf["sha256"] = hashes[leaf["month"]]
            write_file(described, json.dumps(document, indent=2).encode() + b"\n")

    def parts(self, manifest: Manifest, span: Span) -> Iterator[pl.DataFrame]:
        """The rows that open inside a span, at most `BATCH_ROWS` at a time; a month is read when its turn comes.

        Raises NotReady (E_ARTIFACT_MISSING) if a file is gone, DataLoss (E_STORED_FILE) if it is not what was written.
        """
        for leaf in manifest.leaves:
            if not _overlaps(leaf.month, span):
                continue
            try:
                sha256 = self._written(manifest).get(leaf.month, "")
                rows = rows_within(read_frame(self.leaf_path(manifest.dataset, leaf), sha256), span)
            except FileNotFoundError as error:
                raise NotReady(
                    "E_ARTIFACT_MISSING", f"{manifest.dataset}: a file of artifact {manifest.fingerprint} is gone"
                ) from error
            if len(rows):
                yield from rows.iter_slices(BATCH_ROWS)

    def bars(self, manifest: Manifest, span: Span) -> Bars:
        """The same rows as arrays."""
        return bars_of(pl.concat([pl.DataFrame(schema=SCHEMA), *self.parts(manifest, span)]))

    def _written(self, manifest: Manifest) -> Mapping[str, str]:
        """The hash that each month's file was written under. Raises FileNotFoundError, DataLoss (E_STORED_FILE)."""
        known = self._hashes.get(manifest.fingerprint)
        if known is None:
            known = hashes_of(self.manifest_path(manifest))[0]
            while len(self._hashes) >= REMEMBERED_MAX:
                self._hashes.pop(next(iter(self._hashes)), None)
            self._hashes[manifest.fingerprint] = known
        return known

    def _folder(self, dataset: str) -> Path:
        return self._root / quote(dataset, safe="")

    def manifest_path(self, manifest: Manifest) -> Path:
        """Where a manifest stands in the folder, with the hashes of its files."""
        return self._folder(manifest.dataset) / f"{manifest.fingerprint.removeprefix('sha256:')}.json"

    def leaf_path(self, dataset: str, leaf: Leaf) -> Path:
        """Where the rows of a leaf are."""
        return self._folder(dataset) / leaf.month / f"{leaf.digest.removeprefix('sha256:')}.parquet"


def hashes_of(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The hash of each month's file by a manifest's document, and the document without them.

    Raises FileNotFoundError, DataLoss (E_STORED_FILE) for a document that cannot be read.
    """
    try:
        document = json.loads(path.read_bytes())
        return {leaf["month"]: leaf.pop("sha256") for leaf in document["leaves"]}, document
    except FileNotFoundError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataLoss("E_STORED_FILE", f"{path} cannot be read: {error}", metadata={"file": str(path)}) from error


def _hash_of_kept(path: Path, rows: Bars) -> str:
    """The hash of a file that was written before. Raises DataLoss (E_STORED_FILE) if it has other rows by now."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = bars_of(read_frame(path, sha256)).columns()[:-1]  # all but the flags: they are no part of a fingerprint
    if not all(np.array_equal(ours, theirs) for ours, theirs in zip(kept, rows.columns()[:-1], strict=True)):
        raise _other_rows(path)
    return sha256


def _other_rows(path: Path) -> DataLoss:
    return DataLoss("E_STORED_FILE", f"{path} is not what was written: its rows differ", metadata={"file": str(path)})


def _overlaps(month: str, span: Span) -> bool:
    whole = fingerprints.month_span(month)
    return whole.start_ns < span.end_ns and span.start_ns < whole.end_ns


def description(manifest: Manifest) -> dict[str, Any]:
    """A manifest as it is kept beside its files."""
    return {
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
