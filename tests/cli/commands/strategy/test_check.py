"""`qmtl check`: what passes, what depends on the process, what looks ahead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qmtl.cli.main import app
from tests.cli.conftest import ROOT

STRATEGY = """\
from qmtl.sdk import Node, Strategy, StreamInput, signals

SEEN = []
HIDDEN = {{"note": SEEN.append}}


class Own(Strategy):
    name = "own"

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="1h", period=5)
        decided = Node([price], self.look, period=1, name="decided", code_version="1")
        direction = signals.threshold(decided, above=1.0, below=-1.0)
        self.trade(signals.position_target(direction, long=0.5, short=0.0), price)

    def look(self, view):
        return {value}
"""


def run(path: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["check", str(path), *options])
    return done.exit_code, done.output


def written(folder: Path, value: str) -> Path:
    path = folder / "own_strategy.py"
    path.write_text(STRATEGY.format(value=value), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["ema_cross", "ema_trend"])
def test_every_example_passes(name: str) -> None:
    code, said = run(ROOT / "examples" / f"{name}.py")
    assert code == 0, said
    assert "two processes: equal" in said
    assert "no value of the past depends on the future" in said


@pytest.mark.parametrize(
    "value", ["float(len(next(iter({'a', 'bb', 'ccc', 'dddd'}))))", "float(__import__('os').getpid() % 99_991)"]
)
def test_a_node_that_depends_on_the_process_is_named(tmp_path: Path, value: str) -> None:
    code, said = run(written(tmp_path, value))
    assert code == 1
    assert said.splitlines()[0] == "own: FAILED"
    assert "two processes differ at decided" in said


def test_a_node_that_remembers_is_named_with_the_bar(tmp_path: Path) -> None:
    remembers = "HIDDEN['note'](view[0].latest) or view[0].latest / max(SEEN)"
    code, said = run(written(tmp_path, remembers), "--json")
    document = json.loads(said)
    assert code == 1
    assert (document["passed"], document["differing"]) == (False, [])
    first = document["leaks"][0]
    assert (first["node"], first["probe"], first["inherited"]) == ("decided", "repeated", False)


def test_what_fails_over_made_up_bars_is_told_in_a_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(written(tmp_path, "1.0 / 0.0"))])
    assert done.exit_code == 1
    assert "ZeroDivisionError" in str(done.exception)


BY_THE_DAY = """\
from datetime import date

from qmtl.sdk import Strategy, StreamInput, indicators, signals


class ByTheDay(Strategy):
    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="1h")
        mean = indicators.sma(price, 10 + date.today().toordinal() % 7, name="mean")
        self.trade(signals.position_target(signals.trend(price, mean), long=0.5), price)
"""


@pytest.mark.soak
def test_a_graph_that_is_built_by_the_day_is_named(tmp_path: Path) -> None:
    path = tmp_path / "by_the_day.py"
    path.write_text(BY_THE_DAY, encoding="utf-8")
    code, said = run(path)
    assert code == 1
    assert "two processes differ at BTC-USD, mean, trend" in said, "its warm-up is another too"
