"""`qmtl data add`: files of a newcomer, each a replayable preset in one command, told what was found."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from qmtl.cli.commands.data.files import whole_saturdays
from tests.cli.conftest import CliMesh

pytestmark = pytest.mark.timeout(180)
GOOD_FRIDAY, MISSING, BAD = date(2024, 3, 29), date(2024, 3, 13), date(2024, 3, 20)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "aapl.csv").write_text(_stocks(), encoding="utf-8")
    (tmp_path / "btc hours.csv").write_text(_crypto(), encoding="utf-8")
    (tmp_path / "kurse.csv").write_text(_german(), encoding="cp1252")
    return tmp_path


def _stocks() -> str:
    """March 2024 of a stock by plain dates: one day is missing, one has its high below its low."""
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    day = date(2024, 3, 1)
    while day < date(2024, 4, 6):
        if day.weekday() < 5 and day not in (GOOD_FRIDAY, MISSING):
            high, low = ("99.00", "151.00") if day == BAD else ("151.00", "149.50")
            lines.append(f"{day},150.10,{high},{low},150.40,150.40,1000000")
        day += timedelta(days=1)
    return "\n".join(lines) + "\n"


def _crypto() -> str:
    """Four days of hours by epoch milliseconds."""
    first = 1_704_067_200_000
    rows = [f"{first + hour * 3_600_000},42000.5,42100.25,41900,42050.75,12.5" for hour in range(96)]
    return "\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n"


def _german() -> str:
    """Two weeks of days in another country's way of writing."""
    days = [date(2024, 1, 1) + timedelta(days=count) for count in range(14)]
    rows = [f"{day:%d.%m.%Y};1.234,50;1.240,00;1.230,25;1.235,10;12.345" for day in days]
    return "\n".join(["Datum;Erster;Hoch;Tief;Schlusskurs;Volumen", *rows]) + "\n"


def _world_on(cli_mesh: CliMesh, preset: str) -> None:
    """A world takes the preset, and a session of it replays, without any configuration."""
    world = preset.rpartition(".")[2]
    cli_mesh.ask("world", "create", world, "--preset", preset)
    [found] = [one for one in cli_mesh.json("data", "presets") if one["name"] == preset]
    assert (found["available"], found["replay"]) == (True, True)
    decided = cli_mesh.json("world", "decide", world)
    assert "DECISION_REASON_DATA_STALE" not in json.dumps(decided)


def test_daily_stocks_with_a_gap_and_a_bad_row(cli_mesh: CliMesh, files: Path) -> None:
    told = cli_mesh.ask("data", "add", files / "aapl.csv", "--symbol", "AAPL", "--interval", "1d", "--calendar", "XNYS")
    assert "times %Y-%m-%d; close from Close" in told
    assert "not read: Adj Close" in told
    assert "24 rows in, 23 bars out, 23 of 25 expected bars are there (92.00%)" in told
    assert "gaps: 2" in told
    assert "low or high does not enclose open and close" in told
    assert "held back: the 2 newest bars" in told
    assert "2024-03-01" in told
    assert "sealed: 21 bars, sha256:" in told
    assert "ready: file.ohlcv.aapl, AAPL 1d, calendar XNYS" in told
    _world_on(cli_mesh, "file.ohlcv.aapl")


def test_hourly_crypto_with_epoch_milliseconds(cli_mesh: CliMesh, files: Path) -> None:
    told = cli_mesh.ask("data", "add", files / "btc hours.csv", "--symbol", "BTC-USD", "--final")
    assert "times epoch ms" in told
    assert "96 of 96 expected bars are there (100.00%)" in told
    assert "findings: none" in told
    assert "held back" not in told
    assert "ready: file.ohlcv.btc-hours, BTC-USD 1h, calendar 24/7" in told
    _world_on(cli_mesh, "file.ohlcv.btc-hours")


def test_semicolons_and_decimal_commas(cli_mesh: CliMesh, files: Path) -> None:
    told = cli_mesh.ask("data", "add", files / "kurse.csv", "--symbol", "SAP", "--name", "sap", "--final")
    assert "read: semicolon, decimal comma, times %d.%m.%Y" in told
    assert "14 of 14 expected bars are there" in told
    assert "1234.5" in told
    _world_on(cli_mesh, "file.ohlcv.sap")


def test_a_strict_refusal_says_what_and_a_file_of_anything_is_refused(cli_mesh: CliMesh, files: Path) -> None:
    bars = files / "aapl.csv"
    again = ("--strict", "--home", cli_mesh.mesh.home)
    done = cli_mesh.invoke("data", "add", bars, "--symbol", "A", "--name", "no", *again)
    assert done.returncode == 1
    assert "refused: ohlcv:file-no:A:1d: refused by" in done.stdout
    expected = ("--fingerprint", f"sha256:{'0' * 64}", "--home", cli_mesh.mesh.home)
    done = cli_mesh.invoke("data", "add", bars, "--symbol", "A", "--name", "no", *expected)
    assert done.returncode == 1
    assert f", want sha256:{'0' * 64}\n" in done.stdout
    (files / "letter.csv").write_text("dear all,\nthis is no table\n")
    assert "E_FILE_LAYOUT" in cli_mesh.refused("data", "add", files / "letter.csv", "--symbol", "A")
    assert "E_PRESET_UNKNOWN" in cli_mesh.refused("world", "create", "w9", "--preset", "file.ohlcv.no")


def test_a_file_that_never_has_a_saturday_is_told_of_calendars(cli_mesh: CliMesh, tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=count) for count in range(20)]
    for name, closed, told_of in (("weekdays", (5, 6), True), ("six-days", (6,), False)):
        rows = [f"{day},1,2,1,2,10" for day in days if day.weekday() not in closed]
        (tmp_path / f"{name}.csv").write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
        told = cli_mesh.ask("data", "add", tmp_path / f"{name}.csv", "--symbol", "X")
        assert ("no bar on a Saturday" in told) == told_of


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("1970-01-01T00:00", "1970-01-04T00:00", 1),
        ("1970-01-03T00:00", "1970-01-03T23:59", 0),
        ("1970-01-03T00:01", "1970-01-11T00:00", 1),
        ("2024-01-05T12:00", "2024-01-14T00:00", 2),
        ("2024-01-07T00:00", "2024-01-07T00:00", 0),
    ],
)
def test_saturdays_are_counted_where_they_are_whole(start: str, end: str, count: int) -> None:
    first, last = (int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) for at in (start, end))
    assert whole_saturdays(first, last) == count
