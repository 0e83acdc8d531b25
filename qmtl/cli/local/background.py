"""A local mesh whose supervisor is a process of its own: started here, waited for, and left running."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from qmtl.config.files import open_to_append
from qmtl.config.home import live_record, log_path
from qmtl.core.errors import Unavailable

POLL_S = 0.1
LINES = 20
READY = "mesh ready"
"""What the line begins with that `qmtl up` prints when its mesh is ready."""

SUPERVISOR = "up"
"""Name of its log in the home."""


def start_in_background(home: Path, options: Sequence[str]) -> str:
    """Start `qmtl up` with these options and wait until it says that its mesh is ready; that line.

    Raises Unavailable (E_NOT_STARTED) with the end of its log where it ends before. Whoever is interrupted meanwhile
    takes the mesh down again.
    """
    log = log_path(home, SUPERVISOR)
    with open_to_append(log) as output:
        begun = output.tell()
        command = [sys.executable, "-m", "qmtl.cli", "up", *options]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while process.poll() is None:
            record = live_record(home)
            if record is not None and record.ready and record.supervisor.pid == process.pid:
                ready = ready_line(_said(log, begun))
                if ready is not None:  # it is recorded a moment before it is said
                    return ready
            time.sleep(POLL_S)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    said = "\n".join(_said(log, begun)[-LINES:])
    raise Unavailable("E_NOT_STARTED", f"qmtl up ended with {process.returncode}: {said}", hint=f"see {log}")


def ready_line(said: Sequence[str]) -> str | None:
    """What it said of being ready, whatever it said before and since; None: not yet."""
    return next((line for line in reversed(said) if line.startswith(READY)), None)


def _said(log: Path, begun: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(begun)
        return file.read().decode("utf-8", "replace").strip().splitlines() or [""]
