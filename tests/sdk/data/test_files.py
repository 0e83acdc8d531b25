"""Bars of files: what a file says is taken exactly, what it leaves open or has wrong is refused by name."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl
import pytest

from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.core.instants import from_ns
from qmtl.core.volumes import VolumeUnit
from qmtl.sdk import Bars

ROW = "1,3,0.5,2,10"


def written(folder: Path, *lines: str, head: str = "Time,Open,High,Low,Close,Volume") -> Path:
    path = folder / "own.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def opens(bars: Bars) -> list[str]:
    return [from_ns(each).isoformat() for each in bars.open_ns.tolist()]


def test_times_columns_and_interval_are_read_as_they_stand(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"2024-01-01 00:00:00+01:00,{ROW}", f"2024-01-01T00:00:00Z,{ROW}", f"2024-01-01T01:00:00Z,{ROW}"
    )
    bars = Bars.from_csv(path, "X-USD")
    assert bars.interval_s == 3600
    assert opens(bars) == [f"20{day}:00:00+00:00" for day in ("23-12-31T23", "24-01-01T00", "24-01-01T01")]
    assert bars.values.tolist() == [[1.0, 3.0, 0.5, 2.0, 10.0]] * 3


def test_dates_are_of_every_zone_and_other_times_need_one(tmp_path: Path) -> None:
    assert (
        opens(Bars.from_csv(written(tmp_path, f"2024-01-02,{ROW}", f"2024-01-03,{ROW}"), "X"))[0][:10] == "2024-01-02"
    )
    path = written(tmp_path, f"2024-07-01 09:30:00,{ROW}", f"2024-07-01 10:00:00,{ROW}")
    with pytest.raises(InvalidRequest, match=r"zone is none for times .* without an offset, want .*--zone UTC"):
        Bars.from_csv(path, "X")
    bars = Bars.from_csv(path, "X", zone="America/New_York", volume_unit=VolumeUnit.QUOTE)
    assert opens(bars)[0] == "2024-07-01T13:30:00+00:00"
    assert bars.volume_unit is VolumeUnit.QUOTE


def test_epochs_decimal_commas_and_parquet_are_read_too(tmp_path: Path) -> None:
    head = "open_time,open,high,low,close,volume"
    one = Bars.from_csv(written(tmp_path, f"1704067200000,{ROW}", f"1704067260000,{ROW}", head=head), "X")
    assert (one.interval_s, opens(one)[0]) == (60, "2024-01-01T00:00:00+00:00")
    comma = "1;3,25;0,5;2;10"
    path = written(tmp_path, f"01.02.2024;{comma}", f"13.02.2024;{comma}", head=head.replace(",", ";"))
    two = Bars.from_csv(path, "X", "1d")
    assert (opens(two)[0][:10], two.values[0].tolist()) == ("2024-02-01", [1.0, 3.25, 0.5, 2.0, 10.0])
    frame = pl.DataFrame({"time": pl.from_epoch(pl.Series([0, 60])).dt.replace_time_zone("UTC")})
    names = ("open", "high", "low", "close", "volume")
    frame.with_columns(pl.lit(1.0).alias(name) for name in names).write_parquet(tmp_path / "own.parquet")
    assert opens(Bars.from_parquet(tmp_path / "own.parquet", "X")) == [f"1970-01-01T00:0{at}:00+00:00" for at in (0, 1)]


def test_what_can_be_read_in_two_ways_is_settled_by_who_knows(tmp_path: Path) -> None:
    path = written(tmp_path, f"01/02/2024,{ROW}", f"02/03/2024,{ROW}")
    with pytest.raises(InvalidRequest, match="DMY or MDY"):
        Bars.from_csv(path, "X", "1d")
    days = {order: opens(Bars.from_csv(path, "X", "1d", dates=order))[0][:10] for order in ("DMY", "MDY")}
    assert days == {"DMY": "2024-02-01", "MDY": "2024-01-02"}


def test_daily_bars_of_an_exchange_are_sessions_by_their_date(tmp_path: Path) -> None:
    path = written(tmp_path, f"2024-07-03 16:00:00-04:00,{ROW}", f"2024-07-05 16:00:00-04:00,{ROW}")
    bars = Bars.from_csv(path, "X", "1d", calendar="XNYS")
    assert [each[:19] for each in opens(bars)] == ["2024-07-03T00:00:00", "2024-07-05T00:00:00"]
    with pytest.raises(InvalidRequest, match="E_CALENDAR_UNKNOWN"):
        Bars.from_csv(path, "X", "1d", calendar="MOON")


@pytest.mark.parametrize(
    ("lines", "options", "reason", "said"),
    [
        (("2024-01-01,1,3,0.5,2,10", "2024-01-02,3,1,2,3,10"), {}, "E_BARS", "rule ohlc, first at 2024-01-02"),
        (("2024-01-02," + ROW, "2024-01-01," + ROW), {}, "E_BARS", "rule sort"),
        (("2024-01-01," + ROW, "2024-01-01," + ROW, "2024-01-02," + ROW), {}, "E_BARS", "rule duplicate"),
        (("2024-01-01,1,3,0.5,2,-10", "2024-01-02," + ROW), {}, "E_BARS", "rule negative_volume"),
        (("2024-01-01,1,3,0.5,,10", "2024-01-02," + ROW), {}, "E_BARS", "rule"),
        (("Monday," + ROW, "Tuesday," + ROW), {}, "E_FILE_LAYOUT", "dates, dates with times"),
        (("2024-01-01 09:30:00," + ROW,), {"zone": "Mars", "interval": "1h"}, "E_FILE_LAYOUT", "Mars"),
        (("2024-01-01," + ROW,), {}, "E_FILE_LAYOUT", "0 s between most rows"),
        (("2024-01-01,1,2,3",), {}, "E_FILE_LAYOUT", "want"),
    ],
)
def test_what_is_wrong_is_refused_with_its_first_example(
    tmp_path: Path, lines: tuple[str, ...], options: dict[str, str], reason: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        Bars.from_csv(written(tmp_path, *lines), "X", **options)  # type: ignore[arg-type]  # texts only
    assert refused.value.reason == reason


def test_a_repair_is_asked_for_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, f"2024-01-02,{ROW}", f"2024-01-01,{ROW}", "2024-01-03,3,1,2,3,10", f"2024-01-04,{ROW}")
    with caplog.at_level(logging.WARNING):
        bars = Bars.from_csv(path, "X", repair=True)
    assert [each[:10] for each in opens(bars)][:2] == ["2024-01-01", "2024-01-02"]
    assert "rule sort" in caplog.text
    assert "rule ohlc" in caplog.text


def test_samples_come_by_the_names_of_presets_and_a_missing_file_is_named(tmp_path: Path) -> None:
    bars = Bars.sample("demo.stocks.1d")
    assert (bars.symbol, bars.interval_s, len(bars)) == ("NVDA", 86_400, 627)
    assert [opens(bars)[at][:10] for at in (0, -1)] == ["2018-02-05", "2020-07-31"]
    assert Bars.sample().volume_unit is VolumeUnit.QUOTE
    with pytest.raises(NotFound, match="E_DATA_MISSING"):
        Bars.sample("demo.nope")
    with pytest.raises(NotFound, match="E_DATA_MISSING"):
        Bars.from_csv(tmp_path / "no.csv", "X")


def test_candles_of_ccxt_are_taken_exactly(tmp_path: Path) -> None:
    path = tmp_path / "BTC_USDT-1h.json"
    path.write_text("[[1704067200000, 1, 3, 0.5, 2, 10], [1704070800000, 2, 2.5, 2, 2.25, 0]]")
    bars = Bars.from_ccxt_file(path, "BTC-USDT", "1h")
    assert opens(bars) == ["2024-01-01T00:00:00+00:00", "2024-01-01T01:00:00+00:00"]
    assert bars.values.tolist() == [[1.0, 3.0, 0.5, 2.0, 10.0], [2.0, 2.5, 2.0, 2.25, 0.0]]
    assert (bars.symbol, bars.interval_s, bars.volume_unit) == ("BTC-USDT", 3600, VolumeUnit.BASE)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("no json", "BTC.json is None"),
        ("{}", "BTC.json is {}"),
        ("[[1704067200000, 1, 3, 0.5, 2]]", r"BTC.json\[0\] is \[1704067200000, 1, 3, 0.5, 2\], want a list of"),
        ('[[1704067200000, 1, 3, 0.5, 2, "10"]]', r"BTC.json\[0\] is"),
        ("[[1704067200000, 1, 3, 0.5, 2, null]]", r"BTC.json\[0\] is"),
        ("[[1704067200.5, 1, 3, 0.5, 2, 10]]", r"BTC.json\[0\] is"),
        (f"[[1704067200000, {10**400}, 3, 0.5, 2, 10]]", r"BTC.json\[0\] is"),
        ("[[9999999999999999, 1, 3, 0.5, 2, 10]]", "is 9999999999999999, want milliseconds"),
        ("[[1704067200000, 1, 3, 0.5, 2, 10], [1704067200000, 1, 3, 0.5, 2, 11]]", "by the rule"),
        ("[[1704067200000, 1, 0.9, 0.5, 2, 10]]", "by the rule"),
    ],
)
def test_candles_that_are_none_are_refused_by_row(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "BTC.json"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=wrong):
        Bars.from_ccxt_file(path, "BTC-USDT", "1h")
