"""What the tests of this room share: a home of their own and a way to run the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.ema_cross import EmaCross
from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.cli.main import app, explain
from qmtl.core.errors import QmtlError
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.session.terms import SessionTerms
from tests.support.logbook import logging_put_back

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
        with logging_put_back():
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


WORLD, PRESET = "shown", "demo.btc.15m"
CUT = datetime(2021, 12, 25, 13, 30, tzinfo=UTC)
POLICY = """\
data_currency: {max_lag: 1d, min_history: 30d}
selection:
  gates: {and: ["n_trades >= 1"]}
  score: "sharpe"
  topk: {total: 1}
"""


@dataclass(frozen=True)
class CliMesh:
    """A running mesh where one strategy has traded on paper and another is not selected."""

    mesh: Mesh
    invoke: Invoke
    cross: str
    trend: str
    account: str

    def ask(self, *args: str | Path) -> str:
        """What a command prints; it must succeed."""
        done = self.invoke(*args, "--home", self.mesh.home)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *args: str | Path) -> Any:
        return json.loads(self.ask(*args, "--json"))

    def refused(self, *args: str | Path) -> str:
        """The one line a command that fails prints."""
        done = self.invoke(*args, "--home", self.mesh.home)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr


@pytest.fixture(scope="package")
def cli_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliMesh]:
    """One for all tests of the room that only look, or leave it as it was."""
    folder = tmp_path_factory.mktemp("shown")
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    with Mesh(free_plan(folder / "home")) as mesh:
        cli_mesh = CliMesh(mesh, Invoke(folder / "none.toml"), "", "", "")
        cli_mesh.ask("world", "create", WORLD, "--preset", PRESET, "--policy", folder / "policy.yaml")
        submitted = [
            cli_mesh.json("submit", ROOT / "examples" / name, "--world", WORLD, "--end", CUT.isoformat())
            for name in ("ema_cross.py", "ema_trend.py")
        ]
        cross, trend = (one["strategy_id"] for one in submitted)
        cli_mesh.ask("world", "activate", WORLD, cross, "--stage", "paper")
        gateway = Gateway(address=mesh.address("gateway"), home=mesh.home)
        paper = Runner.run(EmaCross(), world=WORLD, gateway=gateway, terms=SessionTerms(bars_per_second=1000.0))
        yield replace(cli_mesh, cross=cross, trend=trend, account=paper.account.account)
