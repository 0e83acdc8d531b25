"""Projects made by an installed wheel, beside those that a checkout makes, on every Python there is; and notebooks."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from qmtl.project.operations import whole
from tests.cli.conftest import ROOT
from tests.project.shelves import preset

PYTHONS = ("python3.11", "python3.12", "python3.13")
PRESETS = ("minimal", "production", "research")
RENDERER = """
import hashlib, sys
from qmtl.project.operations import whole
from qmtl.project.project_file import RUNNING
from qmtl.project.selection import select
from qmtl.project.shelf import installed_shelf
for name in sys.argv[1:]:
    for path, content in whole(select(installed_shelf(), RUNNING, preset=name)).items():
        print(name, path, hashlib.sha256(content).hexdigest())
"""
RUN_NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    NotebookClient(nbformat.read(path, 4), timeout=120, resources={"metadata": {"path": "."}}).execute()
"""

FIRST_BACKTEST = """
import sys, time
import numpy as np
from qmtl.sdk import Bars
scope = {"__name__": "first"}
exec(open(sys.argv[1]).read(), scope)
random, count = np.random.default_rng(1), 35_000
close = np.round(20_000 * np.exp(np.cumsum(random.normal(0, 0.003, count))), 2)
opened = np.concatenate([close[:1], close[:-1]])
columns = [opened, np.maximum(opened, close), np.minimum(opened, close), close, np.full(count, 500.0)]
times = 1_600_000_200_000_000_000 + 900_000_000_000 * np.arange(count)
bars = Bars("BTC-USD", 900, times, np.column_stack(columns))
begun = time.process_time()
text = str(scope["Runner"].backtest(scope["EmaCross"](), bars))
print(time.process_time() - begun, len(text))
"""


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    run(sys.executable, *pip, cwd=folder)
    return next(folder.glob("qmtl-*.whl"))


def installed(wheel: Path, python: str, folder: Path, *more: str) -> Path:
    """The interpreter of a new environment that has the wheel."""
    run(python, "-m", "venv", folder / "venv", cwd=folder)
    own = folder / "venv" / "bin" / "python"
    run(own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, *more, cwd=folder)
    return own


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_wheel_makes_the_bytes_that_a_checkout_makes(wheel: Path, tmp_path: Path, python: str) -> None:
    found = shutil.which(python)
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} is not on this machine")
    own = installed(wheel, found, tmp_path)
    wanted = [
        f"{name} {path} {hashlib.sha256(content).hexdigest()}"
        for name in PRESETS
        for path, content in whole(preset(name)).items()
    ]
    assert run(own, "-c", RENDERER, *PRESETS, cwd=tmp_path).splitlines() == wanted


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_notebooks_run_as_they_are_generated(wheel: Path, tmp_path: Path) -> None:
    own = installed(wheel, sys.executable, tmp_path, "nbclient", "ipykernel")
    for name in ("minimal", "research"):
        run(own, "-m", "qmtl.cli", "project", "init", "--preset", name, "--path", tmp_path / name, cwd=tmp_path)
        notebooks = sorted((tmp_path / name / "notebooks").glob("*.ipynb"))
        assert notebooks
        run(own, "-c", RUN_NOTEBOOK, *notebooks, cwd=tmp_path / name)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_first_backtest_of_an_installed_wheel_takes_less_than_5_s_of_cpu(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("QMTL_COMPILED_DIR", "NUMBA_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    own, strategy = installed(wheel, sys.executable, tmp_path), tmp_path / "first.py"
    strategy.write_text((ROOT / "README.md").read_text().partition("```python\n")[2].partition("```")[0])
    spent, length = run(own, "-c", FIRST_BACKTEST, strategy, cwd=tmp_path).split()
    assert int(length) > 200
    assert float(spent) < 5.0


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_wheel_has_every_template_and_nothing_else(wheel: Path) -> None:
    folder = ROOT / "qmtl" / "project" / "templates"
    here = {
        str(path.relative_to(ROOT)) for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if name.startswith("qmtl/project/templates/")} == here
