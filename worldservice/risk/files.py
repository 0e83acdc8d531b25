"""Parquet files that snapshots refer to: all below one root, their hash checked on every read. It writes none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import fsspec  # type: ignore[import-untyped]  # ships no types
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from qmtl.core.errors import NotReady, refused
from qmtl.core.identity.canonical import digest
from qmtl.risk.v1 import risk_pb2 as riskpb
from worldservice.risk.domain.checks import POINTS_TOTAL_MAX
from worldservice.risk.domain.covariance import incomplete
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.snapshot import CovarianceTriangle, Snapshot

BYTES_MAX = 64 * 1024 * 1024
IDS_MAX = 2_000
ROWS_MAX = 2 * POINTS_TOTAL_MAX + IDS_MAX
URL_MAX = 1_000


@dataclass(frozen=True, slots=True)
class SnapshotFiles:
    """The files below `root`, an fsspec URL or a folder; empty: there is none, and every ref is refused."""

    root: str

    def resolved(self, snapshot: Snapshot, message: riskpb.RiskSnapshot) -> Snapshot:
        """The snapshot with what its refs hold. Raises InvalidRequest and NotReady (E_REF_...)."""
        if message.HasField("returns_ref"):
            if message.returns:
                raise refused("E_SNAPSHOT_FIELD", "snapshot.returns_ref", "set beside returns", "one of both")
            snapshot = replace(snapshot, returns=_returns(self._table(message.returns_ref, "snapshot.returns_ref")))
        if message.HasField("covariance_ref"):
            if message.HasField("covariance"):
                raise refused("E_SNAPSHOT_FIELD", "snapshot.covariance_ref", "set beside covariance", "one of both")
            table = self._table(message.covariance_ref, "snapshot.covariance_ref")
            snapshot = replace(snapshot, covariance=_covariance(table))
        return snapshot

    def _table(self, ref: riskpb.RiskDataRef, field: str) -> pa.Table:
        body = self._bytes(ref, field)
        try:
            file = pq.ParquetFile(pa.BufferReader(body))
            if file.metadata.num_rows > ROWS_MAX:  # before it is unpacked: a small file may hold very many
                raise refused("E_SNAPSHOT_FIELD", field, f"{file.metadata.num_rows} rows", f"at most {ROWS_MAX:,}")
            return file.read()
        except (pa.ArrowException, OSError) as error:
            raise NotReady("E_REF_UNREADABLE", f"{field}: {ref.url} is no Parquet file: {error}") from error

    def _bytes(self, ref: riskpb.RiskDataRef, field: str) -> bytes:
        url = self._below(ref.url, field)
        if ref.bytes > BYTES_MAX:
            raise NotReady("E_REF_SIZE", f"{field}.bytes is {ref.bytes}, want at most {BYTES_MAX}")
        try:
            fs, inner = fsspec.core.url_to_fs(url)
            size = int(fs.size(inner))
            if size != ref.bytes:
                raise NotReady("E_REF_SIZE", f"{field}: {ref.url} has {size} bytes, want {ref.bytes}")
            body: bytes = fs.cat_file(inner)
        except (OSError, ValueError, ImportError) as error:
            raise NotReady(
                "E_REF_UNREADABLE", f"{field}: {ref.url} cannot be read: {error}", hint="restore the file or put anew"
            ) from error
        found = digest(body)
        if found != ref.hash:
            raise NotReady("E_REF_HASH", f"{field}: {ref.url} has the hash {found}, want {ref.hash}")
        return body

    def _below(self, url: str, field: str) -> str:
        root = self.root.rstrip("/")
        inner = url.removeprefix(f"{root}/")
        parts = inner.split("/")
        plain = all(part not in ("", ".", "..") for part in parts) and not any(sign in inner for sign in "\\:?*[]{}\0")
        if not root or not plain or len(url) > URL_MAX:
            raise refused(
                "E_REF_FORBIDDEN", f"{field}.url", repr(url[:200]), f"a file below {root or 'no root: none is set'}"
            )
        return f"{root}/{inner}"


def _returns(table: pa.Table) -> dict[str, DailyReturns]:
    ids, days, values = _columns(
        table, "snapshot.returns_ref", ("id", pa.string()), ("day", pa.date32()), ("value", pa.float64())
    )
    days = days.cast(pa.int32())
    found: dict[str, DailyReturns] = {}
    epoch = 719_163  # the ordinal of 1970-01-01
    names = np.asarray(ids.to_pylist(), dtype=object)
    ordinals = days.to_numpy(zero_copy_only=False) + epoch
    nulls = values.is_null().to_numpy(zero_copy_only=False)
    numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False)
    each, place = np.unique(names, return_inverse=True)
    if len(each) > IDS_MAX:
        raise refused("E_SNAPSHOT_FIELD", "snapshot.returns_ref", f"{len(each)} ids", f"at most {IDS_MAX:,}")
    order = np.argsort(place, kind="stable")  # rows of an id stay in the order of the file
    ends = np.cumsum(np.bincount(place, minlength=len(each)))
    for name, rows in zip(each.tolist(), np.split(order, ends[:-1]), strict=True):
        known, shut = rows[~nulls[rows]], rows[nulls[rows]]
        found[name] = DailyReturns(
            tuple(ordinals[known].tolist()), tuple(numbers[known].tolist()), tuple(ordinals[shut].tolist())
        )
    return found


def _covariance(table: pa.Table) -> CovarianceTriangle:
    field = "snapshot.covariance_ref"
    first, second, values = _columns(
        table, field, ("first", pa.string()), ("second", pa.string()), ("value", pa.float64())
    )
    pairs: dict[tuple[str, str], float] = {}
    for one, other, value in zip(first.to_pylist(), second.to_pylist(), values.to_pylist(), strict=True):
        if value is None or one > other or (one, other) in pairs:
            raise refused(
                "E_SNAPSHOT_FIELD", f"{field}.{one},{other}", value, "first <= second, each pair once, a value"
            )
        pairs[one, other] = value
    ids = sorted({name for pair in pairs for name in pair})
    if len(ids) > IDS_MAX:
        raise refused("E_SNAPSHOT_FIELD", field, f"{len(ids)} ids", f"at most {IDS_MAX:,}")
    triangle = []
    for row, second_id in enumerate(ids):
        for first_id in ids[: row + 1]:
            if (first_id, second_id) not in pairs:
                raise incomplete(first_id, second_id)
            triangle.append(pairs[first_id, second_id])
    return CovarianceTriangle(tuple(ids), tuple(triangle))


def _columns(table: pa.Table, field: str, *wanted: tuple[str, pa.DataType]) -> list[pa.ChunkedArray]:
    """Raises InvalidRequest (E_SNAPSHOT_FIELD) for a missing column or one of another type."""
    found = []
    for name, kind in wanted:
        if name not in table.column_names or table.schema.field(name).type != kind:
            raise refused("E_SNAPSHOT_FIELD", f"{field}.{name}", table.schema.names, f"a column {name} of {kind}")
        found.append(table.column(name))
        if name != "value" and table.column(name).null_count:
            raise refused("E_SNAPSHOT_FIELD", f"{field}.{name}", "null", "no nulls")
    return found
