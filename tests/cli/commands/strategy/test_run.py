"""`qmtl run`: follows a session to its end, waits for an activation and says so, ends at Ctrl-C in one sentence."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, WORLD, CliMesh, environment

pytestmark = pytest.mark.timeout(180)
CROSS, TREND = (ROOT / "examples" / name for name in ("ema_cross.py", "ema_trend.py"))


def test_a_session_is_told_as_it_comes_and_its_result_last(cli_mesh: CliMesh) -> None:
    told = [
        json.loads(line) for line in cli_mesh.ask("run", CROSS, "--world", WORLD, "--json", "--no-bars").splitlines()
    ]
    begun, *others, result = told
    assert (begun["event"], begun["account"], begun["is_live"]) == ("session", cli_mesh.account, False)
    assert (result["event"], result["strategy_id"], result["books_agree"]) == ("result", cli_mesh.cross, True)
    assert {one["event"] for one in others} <= {"fill", "denied", "caught_up"}
    assert result["session"]["session_id"] == begun["session_id"]


def test_an_operator_is_waited_for_and_that_is_said(cli_mesh: CliMesh) -> None:
    done = cli_mesh.invoke("run", TREND, "--world", WORLD, "--wait", "1.5", "--home", cli_mesh.mesh.home)
    waiting = (
        f"waiting 1.5 s for an operator to activate it: qmtl world activate {WORLD} {cli_mesh.trend} --stage paper\n"
    )
    assert (done.returncode, done.stdout) == (1, waiting)
    assert done.stderr.startswith(
        f"error: E_NOT_ACTIVATED: strategy {cli_mesh.trend} was not activated for paper or live"
    )


def test_ctrl_c_ends_it_with_one_sentence(cli_mesh: CliMesh) -> None:
    home = str(cli_mesh.mesh.home)
    command = [sys.executable, "-m", "qmtl.cli", "run", str(TREND), "--world", WORLD, "--home", home]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith("waiting 60 s")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    stopped = (
        f"interrupted: the session in world {WORLD} was stopped; strategy {cli_mesh.trend} stays in world {WORLD} as"
    )
    assert errors.splitlines()[-1].startswith(stopped)
    assert process.returncode == 130
