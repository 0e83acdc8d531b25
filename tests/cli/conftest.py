"""What the tests of this room share: a home of their own and a way to run the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment() -> dict[str, str]:
    """The test's environment without settings of the person who runs it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QMTL")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]), "COLUMNS": "200"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


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
