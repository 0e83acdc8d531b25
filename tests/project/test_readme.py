"""The lines of a generated README, typed one after the other into a shell, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qmtl.project.operations import new_project
from tests.cli.conftest import environment
from tests.project.shelves import preset

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
