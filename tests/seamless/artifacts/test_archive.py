"""Sealed files: written once under the hash of their content, read back exactly, never half there."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, NotReady
from seamless.artifacts.archive import Archive
from seamless.domain.bars import concatenated, of_values
from seamless.domain.fingerprints import month_span
from seamless.domain.manifests import Manifest, cut, seal
from seamless.storage.files import bars_of, ipc
from tests.seamless.samples import START, STEP, judge, raw_of, walk


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def _sealed(archive: Archive, rows: int = 3000) -> Manifest:
    bars, report = judge(raw_of(walk(rows)))
    manifest = seal(bars, report, AlwaysOpen(), producer="test")
    archive.write(manifest, bars)
    return manifest


def test_rows_come_back_as_they_were_over_a_month_boundary(archive: Archive) -> None:
    manifest = _sealed(archive)
    wanted = walk(3000)
    october = month_span("2021-10").start_ns
    span = Span(october - 5 * STEP, october + 7 * STEP)
    got = archive.bars(manifest, span)
    assert len(got) == 12
    for ours, theirs in zip(got.columns(), wanted.within(span).columns(), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_columns_are_those_of_the_contract(archive: Archive) -> None:
    manifest = _sealed(archive, 10)
    [part] = archive.parts(manifest, manifest.span)
    table = pl.read_ipc_stream(io.BytesIO(ipc(part)))
    assert table.schema == {
        "open_time": pl.Datetime("ns", "UTC"),
        **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64),
        "flags": pl.UInt8,
    }
    assert table["open_time"].to_physical().to_list() == [START + i * STEP for i in range(10)]


def test_writing_again_leaves_every_file_alone_and_nothing_else_behind(archive: Archive, tmp_path: Path) -> None:
    _sealed(archive)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    _sealed(archive)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert sorted(path.suffix for path in before) == [".json", ".parquet", ".parquet"]


def test_another_encoding_of_the_same_rows_has_the_same_fingerprint(archive: Archive, tmp_path: Path) -> None:
    manifest = _sealed(archive)
    again = []
    for path in sorted(tmp_path.rglob("*.parquet")):
        pl.read_parquet(path).write_parquet(path, compression="uncompressed", row_group_size=100)
        again.append(bars_of(pl.read_parquet(path)))
    bars, report = judge(raw_of(concatenated(again)))
    assert seal(bars, report, AlwaysOpen(), producer="other").fingerprint == manifest.fingerprint


def test_a_cut_shares_the_files_of_whole_months(archive: Archive, tmp_path: Path) -> None:
    manifest = _sealed(archive)
    beginning = archive.bars(manifest, Span(START, START + 2000 * STEP))
    part = cut(manifest, beginning, AlwaysOpen())
    archive.write(part, beginning)
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    assert archive.bars(part, part.span).time_ns.tolist() == beginning.time_ns.tolist()


def test_a_file_that_is_gone_is_named(archive: Archive, tmp_path: Path) -> None:
    manifest = _sealed(archive)
    next(tmp_path.rglob("*.parquet")).unlink()
    with pytest.raises(NotReady) as caught:
        list(archive.parts(manifest, manifest.span))
    assert caught.value.reason == "E_ARTIFACT_MISSING"


def test_a_flipped_bit_is_found_on_read(archive: Archive, tmp_path: Path) -> None:
    manifest = _sealed(archive)
    path = sorted(tmp_path.rglob("*.parquet"))[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataLoss, match=r"E_STORED_FILE: .* is not what was written"):
        archive.bars(manifest, manifest.span)
    first = next(iter(archive.parts(manifest, Span(START, START + STEP))))
    assert len(first) == 1, "what is whole is served"


def test_a_manifest_that_cannot_be_read_is_named(archive: Archive, tmp_path: Path) -> None:
    manifest = _sealed(archive)
    archive.manifest_path(manifest).write_text("{")
    with pytest.raises(DataLoss, match=r"E_STORED_FILE: .*json cannot be read"):
        archive.bars(manifest, manifest.span)


def test_nothing_outside_the_data_is_read(archive: Archive) -> None:
    manifest = _sealed(archive, 10)
    assert len(archive.bars(manifest, Span(0, START))) == 0
    assert list(archive.parts(manifest, Span(0, 1))) == []


def test_batches_are_bounded(archive: Archive) -> None:
    table = walk(70_000)
    seconds = of_values(START + np.arange(70_000, dtype=np.int64) * 10**9, table.values(), table.flags)
    _, report = judge(raw_of(walk(10)))
    manifest = seal(seconds, replace(report, interval_ns=10**9), AlwaysOpen(), producer="test")
    archive.write(manifest, seconds)
    assert [len(part) for part in archive.parts(manifest, manifest.span)] == [16_384] * 4 + [4_464]


def test_a_changed_file_is_not_taken_into_a_newer_artifact(archive: Archive, tmp_path: Path) -> None:
    _sealed(archive)
    path = sorted(tmp_path.rglob("*.parquet"))[0]
    changed = pl.read_parquet(path).with_columns(close=pl.col("close") + 1e-9)
    changed.write_parquet(path)
    bars, report = judge(raw_of(walk(3001)))
    newer = seal(bars, report, AlwaysOpen(), producer="test")
    with pytest.raises(DataLoss, match=r"E_STORED_FILE: .* is not what was written: its rows differ"):
        archive.write(newer, bars)
    assert not archive.manifest_path(newer).exists()
