"""What a command says when no gateway answers."""

from __future__ import annotations

import time
from pathlib import Path

from qmtl.cli.local.tokens import prepare_tokens
from tests.cli.conftest import ROOT, Invoke, Run


def test_no_mesh_is_a_readable_error(home: Path, qmtl: Run) -> None:
    done = qmtl("world", "list", "--home", home)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: E_NOT_RUNNING: no mesh runs in {home}")
    assert "hint: qmtl up starts one; --address or QMTL_ADDRESS names one elsewhere" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    submit = qmtl("submit", ROOT / "examples" / "ema_cross.py", "--world", "w", "--home", home)
    assert (submit.returncode, submit.stderr) == (1, done.stderr)


def test_a_mesh_that_was_stopped_is_a_readable_error(home: Path, tmp_path: Path, invoke: Invoke) -> None:
    prepare_tokens(home)
    (tmp_path / "qmtl.toml").write_text('[mesh]\naddresses = {gateway = "127.0.0.1:1"}\n', encoding="utf-8")
    done = invoke("world", "list", "--home", home)
    wanted = f"error: E_NOT_RUNNING: no mesh runs in {home}, and nothing answers at 127.0.0.1:1 (hint: "
    assert done.returncode == 1
    assert done.stderr.startswith(wanted)


def test_a_gateway_elsewhere_that_is_silent_is_named_with_the_cause(home: Path, invoke: Invoke) -> None:
    started = time.monotonic()
    done = invoke("world", "list", "--home", home, "--token", "t", QMTL_ADDRESS="127.0.0.1:1")
    assert time.monotonic() - started < 5.0
    told = "gateway 127.0.0.1:1 (QMTL_ADDRESS) does not answer: Connection refused: is the gateway running?"
    assert done.stderr.startswith(f"error: E_GATEWAY_UNREACHABLE: {told}")
    assert "qmtl up" not in done.stderr


def test_a_status_of_a_mesh_elsewhere_needs_no_home(home: Path, invoke: Invoke) -> None:
    done = invoke("status", "--home", home, "--address", "127.0.0.1:1", "--token", "t")
    assert done.stderr.startswith("error: E_GATEWAY_UNREACHABLE: gateway 127.0.0.1:1 (given)")
