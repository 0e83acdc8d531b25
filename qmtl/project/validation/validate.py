"""All rules over a folder: those of its text here, those of its code in a process that is ended after a while."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from qmtl.core.errors import QmtlError
from qmtl.project.operations import RUNNING
from qmtl.project.project_file import PROJECT_FILE, read_project_file
from qmtl.project.shelf import Shelf
from qmtl.project.validation.finding import Finding
from qmtl.project.validation.sources import source_findings

PATIENCE_S = 30.0


def findings(folder: Path, shelf: Shelf) -> list[Finding]:
    """Every finding of every rule, errors first."""
    try:
        project = read_project_file(folder, RUNNING)
    except QmtlError as error:
        return [Finding("project_file", PROJECT_FILE, 0, error.message, "a project of this version", error.hint)]
    found = [*source_findings(folder, project, shelf, RUNNING), *_run(folder.resolve())]
    return sorted(found, key=lambda one: not one.error)


def _run(folder: Path) -> list[Finding]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = (sys.executable, "-m", "qmtl.project.validation.running", str(folder))
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [Finding("strategy", "strategy.py", 0, f"not built after {PATIENCE_S:.0f} s", "a strategy that builds")]
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[-2:])
        return [Finding("strategy", "strategy.py", 0, f"the process ended: {said[:300]}", "a strategy that builds")]
    return [Finding(**fields) for fields in json.loads(done.stdout.splitlines()[-1])]
