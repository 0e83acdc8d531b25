"""Queues as Parquet files that are read back before they count.

Imported when the first queue is archived: Arrow takes 50 MB, and few processes ever need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from controlbus.jetstream.subjects import token
from controlbus.records.data_queue import Record
from dagmanager.artifacts.domain import Artifact
from dagmanager.artifacts.files import Miscounted, Unverified, read_bytes, write_bytes
from dagmanager.garbage.domain import Candidate
from dagmanager.queues.domain.queues import Counters

FROM, TO, EPOCH, INPUTS = "qmtl_from", "qmtl_to", "qmtl_writer_epoch", "qmtl_input_window_hash"
_INSTANT = pa.timestamp("ns", tz="UTC")


def archive_path(root: str, queue: Candidate) -> str:
    """One file per life of a queue."""
    assert queue.released_at is not None, "only released queues are archived"
    name = f"{queue.compute_key.rpartition(':')[2]}-{queue.released_at:%Y%m%dT%H%M%S%f}.parquet"
    return "/".join((root.rstrip("/"), "archives", token(queue.world_id), queue.execution_domain, name))


def table_of(records: Sequence[Record]) -> pa.Table:
    """The records' rows, each with the range, epoch and input hash of the batch it came in.

    Raises pa.ArrowInvalid when a payload is not Arrow, or two have one column under two types.
    """
    return pa.concat_tables([_rows_of(record) for record in records], promote_options="permissive")


def counters_of(table: pa.Table) -> Counters:
    """Rows, first and last bucket of an archive."""
    if not table.num_rows:
        return Counters()
    first, last = (min(table[FROM].cast(pa.int64()).to_pylist()), max(table[TO].cast(pa.int64()).to_pylist()))
    return Counters(table.num_rows, first // 1000, last // 1000)


def write_queue(path: str, records: Sequence[Record], counted: Counters) -> Artifact:
    """Write a queue's records and read them back.

    Raises Miscounted when rows or buckets are not those the catalogue counted, Unverified when the file does not read
    back as it was, ValueError for records that are no Arrow, and as write_bytes.
    """
    try:
        table = table_of(records)
    except pa.ArrowException as error:
        raise ValueError(f"records of {path} do not fit together: {error}") from error
    if counters_of(table) != counted:
        raise Miscounted(f"{counters_of(table)} in the broker, {counted} in the catalogue")
    sink = BytesIO()
    pq.write_table(table, sink, compression="zstd")
    body = sink.getvalue()
    artifact = write_bytes(path, body)
    if not _reads_back(path, table):
        raise Unverified(f"{path} does not read back as it was written")
    return artifact


def _reads_back(path: str, table: pa.Table) -> bool:
    try:
        again = pq.read_table(BytesIO(read_bytes(path)))
    except pa.ArrowException:
        return False
    return bool(counters_of(again) == counters_of(table) and again.equals(table))


def _rows_of(record: Record) -> pa.Table:
    with pa.ipc.open_stream(record.batch.arrow_ipc) as reader:
        rows = reader.read_all()
    return (
        rows.append_column(FROM, pa.array([record.from_ns] * rows.num_rows, _INSTANT))
        .append_column(TO, pa.array([record.to_ns] * rows.num_rows, _INSTANT))
        .append_column(EPOCH, pa.array([record.batch.writer_epoch] * rows.num_rows, pa.uint64()))
        .append_column(INPUTS, pa.array([record.batch.input_window_hash] * rows.num_rows, pa.string()))
    )
