"""`qmtl backtest`: a strategy in a file over samples and files, without a mesh."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qmtl.cli.main import app
from qmtl.core.errors import InvalidRequest, NotFound
from tests.cli.conftest import ROOT

EXAMPLE = str(ROOT / "examples" / "ema_cross.py")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["backtest", *arguments], catch_exceptions=True)
    if isinstance(done.exception, InvalidRequest | NotFound):
        raise done.exception
    return done.exit_code, done.output


def test_an_example_runs_on_the_sample_and_writes_its_tear_sheet(tmp_path: Path) -> None:
    code, said = run(EXAMPLE, "--html", str(tmp_path / "sheet.html"), "--trades")
    assert code == 0, said
    assert said.splitlines()[0].startswith("ema-cross  local backtest, not authoritative")
    assert "target changed" in said
    listed = [line for line in said.splitlines() if line.startswith("│ BTC-USD")]
    assert listed
    assert max(map(len, listed)) <= 140
    assert (tmp_path / "sheet.html").stat().st_size > 50_000
    code, said = run(EXAMPLE, "--json", "--cash", "2500.50")
    assert json.loads(said)["replay"]["equity"]["value"][0] == "2500.5"


def test_files_are_named_with_their_symbol_where_it_could_be_another(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = [f"2024-01-{1 + i // 24:02} {i % 24:02}:00:00,100,{110 + i},90,{100 + i},1000" for i in range(60)]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]), encoding="utf-8")
    strategy = tmp_path / "two.py"
    strategy.write_text(
        "from qmtl.sdk import Strategy, StreamInput, signals\n"
        "class Two(Strategy):\n"
        "    def setup(self):\n"
        "        a, b = StreamInput('BTC-USD', '1h'), StreamInput('ETH-USD', '1h')\n"
        "        self.trade(signals.position_target(signals.trend(a, b), long=0.5), a)\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidRequest, match="SYMBOL=FILE"):
        run(str(strategy), "--data", str(path), "--zone", "UTC")
    code, said = run(str(strategy), "--data", f"BTC-USD={path}", "--data", f"ETH-USD={path}", "--zone", "UTC")
    assert code == 0, said
    with pytest.raises(NotFound, match="no bars of ETH-USD"):
        run(str(strategy), "--data", f"BTC-USD={path}", "--zone", "UTC")


def test_a_sweep_ranks_a_grid_and_says_whether_the_best_is_luck(tmp_path: Path) -> None:
    strategy = tmp_path / "ema_pair.py"
    strategy.write_text(
        "from qmtl.sdk import Strategy, StreamInput, signals, indicators as ta\n"
        "class Pair(Strategy):\n"
        "    def __init__(self, fast=10, slow=50):\n"
        "        self.fast, self.slow = fast, slow\n"
        "    def setup(self):\n"
        "        price = StreamInput('NVDA', '1d')\n"
        "        rising = signals.trend(ta.ema(price, self.fast), ta.ema(price, self.slow))\n"
        "        self.trade(signals.position_target(rising, long=0.9, short=0.0), price)\n",
        encoding="utf-8",
    )
    (tmp_path / "grid.toml").write_text("[grid]\nslow = [40, 80]\n", encoding="utf-8")
    options = [
        "--set",
        "fast=5,10",
        "--grid",
        str(tmp_path / "grid.toml"),
        "--csv",
        str(tmp_path / "all.csv"),
        "--workers",
        "1",
    ]
    done = CliRunner().invoke(
        app, ["sweep", str(strategy), *options, "--heat-map", str(tmp_path / "map.png"), "--profile", "ibkr_equities"]
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith("4 trials by sharpe")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 5
    assert (tmp_path / "map.png").stat().st_size > 5_000
    wrong = tmp_path / "grid.toml"
    for written, said in (
        ("grid = 1", "one table, grid"),
        ("[grid]\nfast = 5", "grid.fast"),
        ("[grid]", "--grid FILE"),
    ):
        wrong.write_text(written, encoding="utf-8")
        refusal = CliRunner().invoke(app, ["sweep", str(strategy), "--grid", str(wrong)])
        assert isinstance(refusal.exception, InvalidRequest)
        assert said in str(refusal.exception)


def stock_file(tmp_path: Path) -> tuple[str, str]:
    """Forty sessions of a stock, and a strategy that holds it."""
    days = [date(2024, 1, 2) + timedelta(day) for day in range(60)]
    open_days = [day for day in days if day.weekday() < 5 and day not in (date(2024, 1, 15), date(2024, 2, 19))]
    rows = [f"{day},100,{110 + i},90,{100 + i % 7 + i},100000" for i, day in enumerate(open_days)]
    path, strategy = tmp_path / "abc.csv", tmp_path / "abc.py"
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]), encoding="utf-8")
    strategy.write_text(
        "from qmtl.sdk import Strategy, StreamInput, signals, indicators as ta\n"
        "class Held(Strategy):\n"
        "    bars = 2\n"
        "    def setup(self):\n"
        "        price = StreamInput('ABC', '1d')\n"
        "        up = signals.threshold(ta.sma(price, self.bars), above=0.0, below=0.0)\n"
        "        self.trade(signals.position_target(up, long=0.5), price)\n"
        "class Slow(Held):\n"
        "    bars = 80\n",
        encoding="utf-8",
    )
    return str(path), str(strategy)


def test_ratios_of_a_stock_are_of_the_sessions_of_its_exchange(tmp_path: Path) -> None:
    data, strategy = stock_file(tmp_path)
    options = ["--data", data, "--zone", "UTC", "--quote", "USD", "--json"]
    found = []
    for calendar in ("", "24/7", "XNYS"):
        code, said = run(f"{strategy}:Held", *options, "--calendar", calendar)
        assert code == 0, said
        found.append(json.loads(said)["replay"]["metrics"])
    never, always, sessions = found
    assert never == always
    assert sessions["sharpe"] == pytest.approx(never["sharpe"] * (252 / 365) ** 0.5)
    assert sessions["total_return"] == never["total_return"]
    with pytest.raises(InvalidRequest, match="E_CALENDAR_UNKNOWN"):
        run(f"{strategy}:Held", *options, "--calendar", "MARS")


def test_too_few_bars_are_said_in_the_first_line(tmp_path: Path) -> None:
    data, strategy = stock_file(tmp_path)
    code, said = run(f"{strategy}:Slow", "--data", data, "--zone", "UTC", "--quote", "USD", "--calendar", "XNYS")
    assert code == 0, said
    assert " ".join(said.split()).startswith("Slow no target for ABC: 42 bars of ABC at 86400 s, want 80 or more")


def test_a_symbol_of_ones_own_needs_its_currency_and_a_known_one_takes_none(tmp_path: Path) -> None:
    data, strategy = stock_file(tmp_path)
    with pytest.raises(NotFound, match="E_INSTRUMENT_UNKNOWN") as unknown:
        run(f"{strategy}:Held", "--data", data, "--zone", "UTC")
    assert "--quote USD" in unknown.value.hint
    for option, value in (("quote", "USD"), ("calendar", "XNYS"), ("tick", "0.5"), ("lot", "2")):
        with pytest.raises(InvalidRequest, match=f"{option} is {value}, want none: every symbol is known by its name"):
            run("examples/ema_cross.py", f"--{option}", value)
