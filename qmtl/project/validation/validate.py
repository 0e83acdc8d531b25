"""All rules over a folder: those of its text here, those of its code in processes that are ended after a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qmtl.core.errors import QmtlError
from qmtl.project.project_file import PROJECT_FILE, RUNNING, read_project_file
from qmtl.project.shelf import Shelf
from qmtl.project.validation.finding import RESULT, Finding
from qmtl.project.validation.sources import source_findings

PATIENCE_S = 30.0
SAID_BYTES = 400
_SAID = "said.txt"


def findings(folder: Path, shelf: Shelf) -> list[Finding]:
    """Every finding of every rule, errors first."""
    try:
        project = read_project_file(folder, RUNNING)
    except QmtlError as error:
        return [Finding("project_file", PROJECT_FILE, 0, error.message, "a project of this version", error.hint)]
    found = [*source_findings(folder, project, shelf, RUNNING), *_built(folder.resolve())]
    return sorted(found, key=lambda one: not one.error)


def _built(folder: Path) -> list[Finding]:
    """What two builds say that share no process, hash seed or home: what only one of them says is no property of it."""
    with tempfile.TemporaryDirectory() as scratch:
        deadline = time.monotonic() + PATIENCE_S
        first = _Build.started("whole", folder, Path(scratch, "1"), "1")
        second = _Build.started("again", folder, Path(scratch, "2"), "2")
        try:
            found, again = first.result(deadline), second.result(deadline)
        finally:
            first.end()
            second.end()
    if isinstance(found, Finding):
        return [found]
    findings = [Finding(**fields) for fields in found["findings"]]
    if isinstance(again, Finding):
        return findings if any(one.rule == "strategy" for one in findings) else [*findings, again]
    if found["node_ids"] and found["node_ids"] != again["node_ids"]:
        hint = "does it take the order of a set, the clock or a random number?"
        want = "the same from the same code"
        findings.append(Finding("node_ids", "strategy.py", 0, "two processes build other NodeIDs", want, hint))
    return findings


@dataclass(frozen=True, slots=True)
class _Build:
    """A process that builds a project's strategy."""

    process: subprocess.Popen[bytes]
    scratch: Path

    @classmethod
    def started(cls, how: str, folder: Path, scratch: Path, seed: str) -> _Build:
        home = scratch / "home"
        home.mkdir(parents=True)
        paths = os.pathsep.join(path for path in sys.path if path)
        own = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        environment = {**os.environ, **own, "HOME": str(home), "TMPDIR": str(home)}
        command = (sys.executable, "-m", "qmtl.project.validation.running", how, str(folder), str(scratch))
        with (scratch / _SAID).open("wb") as said:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        return cls(process, scratch)

    def result(self, deadline: float) -> dict[str, Any] | Finding:
        """What the process wrote, or that it did not."""
        want = "a strategy that builds"
        try:
            code = self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return Finding("strategy", "strategy.py", 0, f"not built after {PATIENCE_S:.0f} s", want)
        result = self.scratch / RESULT
        if code or not result.is_file():
            said = " ".join((self.scratch / _SAID).read_bytes()[-SAID_BYTES:].decode(errors="replace").split("\n")[-3:])
            return Finding("strategy", "strategy.py", 0, f"the process ended with {code}: {said.strip()}", want)
        document: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return document

    def end(self) -> None:
        """End it with whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
