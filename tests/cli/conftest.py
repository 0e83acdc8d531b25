"""What the tests of this room share: a home of their own and a way to run the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qmtl.cli.main import app, explain
from qmtl.core.errors import QmtlError

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    """The test's environment without settings of the person who runs it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QMTL")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]), "COLUMNS": "200"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Invoke:
    """Run a command in this process: for what needs no mesh, thirty times faster."""

    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(self, *args: str | Path, **environ: str) -> Done:
        cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("QMTL")}
        file = {"QMTL_CONFIG": str(self.config)} if self.config.exists() else {}
        result = CliRunner().invoke(app, [str(arg) for arg in args], env={**cleared, **file, **environ})
        if isinstance(result.exception, QmtlError):
            return Done(1, result.stdout, explain(result.exception))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    """`qmtl ...` in this process, with the test's qmtl.toml if it wrote one."""
    return Invoke(tmp_path / "qmtl.toml")


@pytest.fixture
def qmtl(tmp_path: Path) -> Run:
    """Run `qmtl ...` in an empty folder and return what it did."""

    def run(*args: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "qmtl.cli", *map(str, args)],
            cwd=tmp_path,
            env={**environment(), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
