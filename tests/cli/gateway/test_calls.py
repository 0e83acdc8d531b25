"""What a command says when no gateway answers."""

from __future__ import annotations

from pathlib import Path

from qmtl.cli.local.tokens import prepare_tokens
from tests.cli.conftest import ROOT, Invoke, Run


def test_no_mesh_is_a_readable_error(home: Path, qmtl: Run) -> None:
    done = qmtl("world", "list", "--home", home)
    assert done.returncode == 1
    assert done.stderr.startswith("error: E_TOKEN_MISSING")
    assert "hint: qmtl up" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    submit = qmtl("submit", ROOT / "examples" / "ema_cross.py", "--world", "w", "--home", home)
    assert (submit.returncode, submit.stderr) == (1, done.stderr)


def test_a_mesh_that_was_stopped_is_a_readable_error(home: Path, tmp_path: Path, invoke: Invoke) -> None:
    prepare_tokens(home)
    (tmp_path / "qmtl.toml").write_text('[mesh]\naddresses = {gateway = "127.0.0.1:1"}\n', encoding="utf-8")
    done = invoke("world", "list", "--home", home)
    wanted = (
        f"error: E_NOT_RUNNING: no mesh runs in {home}, and nothing answers at 127.0.0.1:1 (hint: qmtl up starts one)"
    )
    assert (done.returncode, done.stderr) == (1, wanted)
