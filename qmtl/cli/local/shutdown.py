"""Stopping a mesh from outside: its supervisor, or what a killed supervisor left running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from qmtl.config.home import Running, alive, read_record
from qmtl.core.errors import DeadlineExceeded

STOP_GRACE_S = 10.0
STOP_POLL_S = 0.05


async def stop_leftovers(home: Path, report: Callable[[str], None]) -> None:
    """Stop what a supervisor that was killed left running in this home."""
    record = read_record(home)
    left = alive(record.processes) if record else []
    if left:
        names = ", ".join(f"{process.name} (pid {process.pid})" for process in left)
        report(f"stopping what an earlier mesh left running: {names}")
        await asyncio.to_thread(stop_processes, left)


def stop_processes(processes: list[Running], grace_s: float = STOP_GRACE_S) -> None:
    """SIGTERM, then SIGKILL, to processes that are not our children; each has `grace_s` to end them all."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in alive(processes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        if _are_gone(processes, grace_s):
            return


def ask_to_stop(supervisor: Running, timeout_s: float) -> None:
    """Tell a supervisor to stop its mesh and wait until it has. Raises DeadlineExceeded (E_NOT_STOPPED)."""
    os.kill(supervisor.pid, signal.SIGTERM)
    if not _are_gone([supervisor], timeout_s):
        raise DeadlineExceeded("E_NOT_STOPPED", f"supervisor pid {supervisor.pid} still runs after {timeout_s:g} s")


def _are_gone(processes: list[Running], within_s: float) -> bool:
    """Wait for the end of processes that are not our children: nothing tells us of it, so we look now and then."""
    deadline = time.monotonic() + within_s
    while alive(processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(STOP_POLL_S)
    return True
