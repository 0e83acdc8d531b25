"""One supervised process: started, probed until it answers, restarted with backoff when it ends by itself.

Its output goes to its log file. It runs in a session of its own, so that a ctrl-C at the terminal reaches
the supervisor alone, which then stops everything in order.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from qmtl.config.files import PRIVATE_UMASK, open_to_append
from qmtl.config.home import Running, process_stamp
from qmtl.core.errors import NotReady, Unavailable

PROBE_EVERY_S = 0.05
PROBE_TIMEOUT_S = 1.0
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
STEADY_S = 60.0  # a process that lasted this long starts over with the shortest backoff
EARLY_EXITS_MAX = 3  # ends before the first answer: then it will not come up by itself
SETTINGS_REFUSED = 2  # exit code of a service whose settings are wrong: trying again is no use
LOG_TAIL_BYTES = 64_000
LOG_TAIL_LINES = 12

Probe = Callable[[str, float], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Unit:
    """What to run and how to see that it answers."""

    name: str
    argv: tuple[str, ...]
    address: str
    log: Path
    probe: Probe
    environ: Mapping[str, str] = field(default_factory=dict)
    metrics_port: int = 0


class Child:
    """The process of one unit, over all its restarts."""

    def __init__(self, unit: Unit, report: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.unit = unit
        self.restarts = 0
        self.running: Running | None = None
        self._report = report
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._ready_pid: int | None = None
        self._turn = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._came_up = False
        self._failure = ""

    async def run(self) -> None:
        """Keep the process running until `stop`; returns early when it can never come up."""
        backoff_s = BACKOFF_FIRST_S
        early_exits = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            process = await self._spawn()
            await self._until_ready(process, started)
            code = await process.wait()
            await self._set_ready(None)
            if self._stopping.is_set():
                return
            early_exits += 1
            if not self._came_up and (code == SETTINGS_REFUSED or early_exits == EARLY_EXITS_MAX):
                await self._fail(f"{self.unit.name} {exit_text(code)}:\n{self.log_tail()}")
                return
            backoff_s = BACKOFF_FIRST_S if time.monotonic() - started > STEADY_S else backoff_s
            self.restarts += 1
            self._report(f"{self.unit.name} {exit_text(code)}; restart {self.restarts} in {backoff_s:g} s")
            await self._pause(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)

    async def ready(self, other_than: int | None = None) -> Running:
        """Wait until the process answers; `other_than`: until one with another pid does. Raises Unavailable."""

        def settled() -> bool:
            return bool(self._failure) or self._ready_pid not in (None, other_than)

        async with self._turn:
            await self._turn.wait_for(settled)
        if self._failure or self.running is None:
            raise Unavailable("E_NOT_STARTED", self._failure or f"{self.unit.name} is not running")
        return self.running

    @property
    def is_ready(self) -> bool:
        return self._ready_pid is not None

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal to the process as it is now; it will be restarted. Returns the pid."""
        if self._process is None or self._process.returncode is not None:
            raise NotReady("E_NOT_RUNNING", f"{self.unit.name} is not running")
        os.kill(self._process.pid, number)
        return self._process.pid

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after the grace; no restart."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            self._report(f"{self.unit.name} did not stop in {grace_s:g} s: killed")
            process.kill()
            await process.wait()

    def log_tail(self) -> str:
        """The last lines of the log as a person reads them, for one who asks why."""
        try:
            end = self.unit.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""
        lines = [line for entry in end.splitlines()[-LOG_TAIL_LINES:] for line in readable(entry)]
        return "\n".join(lines[-LOG_TAIL_LINES:])

    async def _spawn(self) -> asyncio.subprocess.Process:
        with open_to_append(self.unit.log) as log:
            process = await asyncio.create_subprocess_exec(
                *self.unit.argv,
                env=dict(self.unit.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=PRIVATE_UMASK,
            )
        self._process = process
        self.running = self._seen(process.pid)
        self._changed()
        if self._stopping.is_set():
            process.terminate()
        return process

    def _seen(self, pid: int) -> Running:
        return Running(
            name=self.unit.name,
            address=self.unit.address,
            pid=pid,
            stamp=process_stamp(pid) or "",
            metrics_port=self.unit.metrics_port,
            restarts=self.restarts,
        )

    async def _until_ready(self, process: asyncio.subprocess.Process, started: float) -> None:
        while process.returncode is None and not self._stopping.is_set():
            if await self.unit.probe(self.unit.address, PROBE_TIMEOUT_S) and process.returncode is None:
                await self._on_ready(process, time.monotonic() - started)
                return
            await self._pause(PROBE_EVERY_S)

    async def _on_ready(self, process: asyncio.subprocess.Process, took_s: float) -> None:
        self.running = replace(self._seen(process.pid), ready_s=round(took_s, 2))
        self._report(f"{self.unit.name:<14} {self.unit.address:<22} pid {process.pid:<8} ready in {took_s:.2f} s")
        self._came_up = True
        await self._set_ready(process.pid)

    async def _set_ready(self, pid: int | None) -> None:
        async with self._turn:
            self._ready_pid = pid
            self._turn.notify_all()
        self._changed()

    async def _fail(self, text: str) -> None:
        async with self._turn:
            self._failure = text
            self._turn.notify_all()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def readable(entry: str) -> list[str]:
    """A line of a log in words: what happened and why, and a traceback as lines. What is no JSON object stays."""
    try:
        said = json.loads(entry)
    except ValueError:
        return [entry]
    if not isinstance(said, dict):
        return [entry]
    head = ": ".join(str(said[key]) for key in ("level", "event", "reason", "error", "hint") if said.get(key))
    return [head or entry, *str(said.get("exception", "")).splitlines()]


def exit_text(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
