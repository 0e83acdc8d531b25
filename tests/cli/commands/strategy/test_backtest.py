"""`qmtl backtest`: a strategy in a file over samples and files, without a mesh."""

from __future__ import annotations

import json
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
    options = ["--set", "fast=5,10", "--set", "slow=40,80", "--csv", str(tmp_path / "all.csv"), "--workers", "1"]
    done = CliRunner().invoke(
        app, ["sweep", str(strategy), *options, "--heat-map", str(tmp_path / "map.png"), "--profile", "ibkr_equities"]
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith("4 trials by sharpe")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 5
    assert (tmp_path / "map.png").stat().st_size > 5_000
