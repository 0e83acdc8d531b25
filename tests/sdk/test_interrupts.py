"""How a script ends: at Ctrl-C, by a real SIGINT to a real process, and at an error: one sentence, no traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qmtl.sdk.interrupts import interruptible, run_beside

HEAD = """
import sys
from qmtl.sdk import Bars, Runner, Strategy, StreamInput
from tests.sdk.research.crosses import DATA, Cross


class Endless(Cross):
    def on_start(self):
        print("running", flush=True)
        while True:
            pass

"""
EMA = "from examples.ema_cross import EmaCross"
BACKTEST = HEAD + "Runner.backtest(Endless(), DATA)\n"
SWEEP = HEAD + (
    "if __name__ == '__main__':\n    Runner.sweep(Endless, {'fast': [2, 3]}, DATA, workers=2, store=sys.argv[1])\n"
)


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where whoever started the tests has it ignored, as a shell does for what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (BACKTEST, "interrupted: the backtest of Endless was stopped\n"),
        pytest.param(
            SWEEP,
            "interrupted: the sweep was stopped; trials that had ended are in {store}\n",
            marks=pytest.mark.soak,
        ),
    ],
    ids=["backtest", "sweep"],
)
def test_a_script_ends_with_one_sentence(tmp_path: Path, script: str, said: str) -> None:
    path, store = tmp_path / "script.py", tmp_path / "trials"
    path.write_text(script)
    # as a terminal does it, the signal goes to the whole group: to the processes of a sweep too
    with subprocess.Popen(
        [sys.executable, str(path), str(store)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env={"PYTHONPATH": ".:gen"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)  # its output ends when none of its processes is left
    assert errors == said.format(store=store)
    assert process.returncode == -signal.SIGINT  # 130 in a shell


SETUP = """
class Wrong(Strategy):
    def setup(self):
        StreamInput("BTC-USD", interval="0s")


Runner.backtest(Wrong(), DATA)
"""


@pytest.mark.parametrize(
    ("script", "line", "said"),
    [
        ("Runner.backtest(Cross(2), 'bars.csv')\n", 13, "E_FIELD: data is 'bars.csv' (str), want Bars, such as "),
        (SETUP, 16, "E_INTERVAL: "),
    ],
    ids=["call", "setup"],
)
def test_a_mistake_ends_a_script_with_the_line_to_look_at_and_one_sentence(
    tmp_path: Path, script: str, line: int, said: str
) -> None:
    path = tmp_path / "script.py"
    path.write_text(HEAD + script)
    ended = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": ".:gen"},
    )
    assert ended.stderr.startswith(f"{path}:{line}: {said}")
    assert len(ended.stderr.splitlines()) == 1
    assert ended.returncode == 1


def test_the_command_line_says_so_and_exits_with_130(tmp_path: Path) -> None:
    path = tmp_path / "endless.py"
    path.write_text(
        HEAD.replace("(Cross)", "(EmaCross)").replace("from tests.sdk.research.crosses import DATA, Cross", EMA)
    )
    command = [sys.executable, "-m", "qmtl.cli", "backtest", f"{path}:Endless", "--data", "demo.btc.15m"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": ".:gen"}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors == "interrupted: the backtest of ema-cross was stopped\n"
    assert process.returncode == 130


async def noted() -> None:
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        error.add_note("it was withdrawn")
        raise


@pytest.mark.parametrize("beside", [False, True])
def test_what_was_cleared_up_on_the_way_out_is_said(beside: bool) -> None:
    with (
        pytest.raises(KeyboardInterrupt, match=r"^interrupted: the submission was stopped; it was withdrawn$"),
        interruptible("submission"),
    ):
        run_beside(noted()) if beside else asyncio.run(noted())
