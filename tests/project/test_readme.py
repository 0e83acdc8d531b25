"""The lines of a generated README, typed one after the other into a shell, in a folder of its own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qmtl.project.operations import new_project
from tests.cli.conftest import environment
from tests.project.shelves import preset
from tools.template_table import PAGE

BLOCK = "```"
LIVE = (
    "id=$(qmtl strategy list --json | python -c 'import json, sys; print(json.load(sys.stdin)[0][\"strategy_id\"])')",
    'if qmtl world apply own --target "$id:long=1@live" --allow-live; then exit 9; fi',
)


def lines_of(readme: str) -> list[str]:
    """Lines of its code blocks but those that install a package."""
    blocks = readme.split(BLOCK)[1::2]
    return [line for block in blocks for line in block.strip().splitlines() if line and not line.startswith("pip ")]


def typed(folder: Path, lines: list[str]) -> subprocess.CompletedProcess[str]:
    """What a shell makes of the lines; it ends at the first that fails, and so does the mesh."""
    script = "\n".join(["set -e", "trap 'qmtl down' EXIT", *lines])
    bins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script.replace("qmtl up --detach", "qmtl up --detach --free-ports")],
        cwd=folder,
        env={**environment(), "PATH": bins},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=400)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(lines, process.returncode, said)


@pytest.mark.soak
@pytest.mark.timeout(500)
@pytest.mark.parametrize("name", ["minimal", "research", "production"])
def test_a_project_runs_by_the_lines_of_its_readme(tmp_path: Path, name: str) -> None:
    """Up to paper, and to live, which is refused by the rule's name."""
    folder = tmp_path / name
    new_project(folder, preset(name, name="mine", world="own"))
    lines = lines_of((folder / "README.md").read_text())
    assert any(line.startswith("qmtl submit") for line in lines)
    assert lines[-1] == "qmtl down"
    done = typed(folder, [*lines[:-1], *LIVE, lines[-1]])
    assert done.returncode == 0, done.stdout
    assert "E_LIVE_FORBIDDEN" in done.stdout
    assert name == "production" or "which is what the fills come to" in done.stdout


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_sweep_runs_by_the_lines_of_its_readme(tmp_path: Path) -> None:
    new_project(tmp_path / "p", preset("research"))
    lines = lines_of((tmp_path / "p" / "sweeps" / "README.md").read_text())
    done = typed(tmp_path / "p", lines)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "p" / "sweeps" / "trials.csv").read_text().count("\n") == 5


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_of_templates_run_as_they_stand(tmp_path: Path) -> None:
    commands = PAGE.read_text(encoding="utf-8").split(BLOCK)[1].strip().splitlines()
    assert len(commands) >= 5
    for command in commands:
        done = typed(tmp_path, [command])
        assert done.returncode == 0, done.stdout
    assert "FAST, SLOW = 12, 96" in (tmp_path / "my-strategy" / "layers" / "signal" / "__init__.py").read_text()


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_project_is_made_in_a_second_and_tested_in_half_a_minute(tmp_path: Path) -> None:
    """Processor time, which a busy machine does not stretch as it does the clock's."""

    def seconds(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, env=environment(), check=False)
        assert done.returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    made = seconds("qmtl.cli", "project", "init", "--path", "p")
    assert made <= 1.0
    tested = seconds("pytest", "-q", "--rootdir", "p", "-c", "p/pyproject.toml", "p/tests")
    run = seconds("qmtl.cli", "backtest", "p/strategy.py", "--data", "p/data/SYNTHETIC.csv", "--quote", "USD")
    assert made + tested + run <= 30.0
