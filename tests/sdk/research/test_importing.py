"""Strategies of scripts: what other processes cannot run is refused in a sentence before any is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STRATEGY = """
from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.research.executors.importing import check_importable


class Mine(Strategy):
    def __init__(self, fast: int = 3) -> None:
        self.fast = fast

    def setup(self) -> None:
        price = StreamInput("BTC-USD", "1h")
        self.trade(signals.position_target(signals.trend(ta.ema(price, self.fast), price), long=0.9), price)

"""
TOLD = """
def told(make, script=True):
    try:
        check_importable(make, script=script)
        print("fine")
    except InvalidRequest as error:
        print(error.message)


told(Mine)
if __name__ == "__main__":
    class Late(Mine): ...

    told(Mine)
    told(Late)
    told(Mine, script=False)
"""


def test_a_script_is_told_what_its_processes_cannot_run(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(STRATEGY + TOLD)
    top, guarded, late, elsewhere = run([str(path)])
    assert "started from the top of script.py, which every process of its own runs again" in top
    assert guarded == "fine"
    assert "Late, which is not at the top of script.py" in late
    assert "Mine of a script, which other processes cannot import" in elsewhere


def test_a_text_that_is_no_file_is_told_so() -> None:
    for said in run(["-c", STRATEGY + TOLD]):
        assert "of a notebook, a prompt or a text, which other processes cannot import" in said
    *_, first, _, elsewhere = run(["-"], STRATEGY + TOLD)
    assert "started from <stdin>, which is no file" in first
    assert "other processes cannot import" in elsewhere


def run(arguments: list[str], text: str = "") -> list[str]:
    done = subprocess.run([sys.executable, *arguments], input=text, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
