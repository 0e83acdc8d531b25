"""One supervised process, played by a few lines of Python: restarts, backoff, giving up, stopping."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qmtl.cli.local.health import nats_answers
from qmtl.cli.local.ports import free_ports
from qmtl.cli.local.process import LOG_TAIL_LINES, Child, Unit, exit_text, readable
from qmtl.config.home import is_alive
from qmtl.core.errors import NotReady, Unavailable

SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    conn, _ = listener.accept()
    conn.sendall(b"INFO")
    conn.close()
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
FAILING = """
import json, sys
trace = ["Traceback (most recent call last):", *[f"    line {n}" for n in range(100)]]
trace.append("sqlite3.OperationalError: unable to open database file")
print(json.dumps({"timestamp": "now", "level": "info", "event": "metrics", "port": 1}))
print(json.dumps({"level": "critical", "event": "failed", "exception": "\\n".join(trace)}))
sys.exit(2)
"""


class Stage:
    """A child and what it reported."""

    def __init__(self, folder: Path, code: str) -> None:
        self.lines: list[str] = []
        port = free_ports(1)[0]
        argv = (sys.executable, "-S", "-c", code, str(port))
        unit = Unit("actor", argv, f"127.0.0.1:{port}", folder / "logs" / "actor.log", nats_answers)
        self.child = Child(unit, self.lines.append, lambda: None)


@asynccontextmanager
async def staged(folder: Path, code: str = SERVER) -> AsyncIterator[Stage]:
    stage = Stage(folder, code)
    task = asyncio.create_task(stage.child.run())
    try:
        yield stage
    finally:
        await stage.child.stop(2.0)
        await task


async def test_killed_process_comes_back_with_growing_backoff(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        first = await stage.child.ready()
        second = await stage.child.ready(other_than=stage.child.kill())
        third = await stage.child.ready(other_than=stage.child.kill())
        assert len({first.pid, second.pid, third.pid}) == 3
        assert stage.child.restarts == 2
        reported = [line for line in stage.lines if "restart" in line]
    assert reported == [
        "actor was ended by SIGKILL; restart 1 in 0.25 s",
        "actor was ended by SIGKILL; restart 2 in 0.5 s",
    ]


async def test_ready_line_names_address_pid_and_time(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        running = await stage.child.ready()
        assert running.address in stage.lines[0]
        assert f"pid {running.pid}" in stage.lines[0]
        assert "ready in" in stage.lines[0]


async def test_process_that_never_answers_is_given_up_with_its_log(tmp_path: Path) -> None:
    async with staged(tmp_path, "import sys; sys.exit('no such table')") as stage:
        with pytest.raises(Unavailable) as caught:
            await stage.child.ready()
    assert caught.value.reason == "E_NOT_STARTED"
    assert "no such table" in caught.value.message
    assert len([line for line in stage.lines if "restart" in line]) == 2


async def test_a_traceback_in_a_json_log_is_told_in_lines(tmp_path: Path) -> None:
    async with staged(tmp_path, FAILING) as stage:
        with pytest.raises(Unavailable) as caught:
            await stage.child.ready()
    head, *tail = caught.value.message.splitlines()
    assert head == "actor exited with code 2:"
    assert len(tail) == LOG_TAIL_LINES
    assert tail[-1] == "sqlite3.OperationalError: unable to open database file"
    assert tail[-2] == "    line 99"
    assert "\\n" not in caught.value.message


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        ("plain text", ["plain text"]),
        ("[1, 2]", ["[1, 2]"]),
        ('{"other": 1}', ['{"other": 1}']),
        (
            '{"level": "critical", "event": "failed", "reason": "E_X", "error": "no", "hint": "do"}',
            ["critical: failed: E_X: no: do"],
        ),
        ('{"event": "failed", "exception": "Traceback\\n  a\\nE: b"}', ["failed", "Traceback", "  a", "E: b"]),
    ],
)
def test_a_log_line_in_words(entry: str, lines: list[str]) -> None:
    assert readable(entry) == lines


async def test_refused_settings_are_not_tried_again(tmp_path: Path) -> None:
    async with staged(tmp_path, "import sys; print('gateway.brust'); sys.exit(2)") as stage:
        with pytest.raises(Unavailable, match=r"gateway\.brust"):
            await stage.child.ready()
    assert stage.lines == []


async def test_stop_leaves_no_process(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        running = await stage.child.ready()
        assert is_alive(running)
    assert not is_alive(running)
    with pytest.raises(NotReady, match="E_NOT_RUNNING"):
        stage.child.kill()


async def test_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    async with staged(tmp_path, STUBBORN) as stage:
        running = await stage.child.ready()
        await stage.child.stop(0.2)
        assert not is_alive(running)
    assert "actor did not stop in 0.2 s: killed" in stage.lines


async def test_stop_during_backoff_does_not_wait_for_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for _ in range(4):
            await stage.child.ready(other_than=stage.child.kill() if stage.child.is_ready else None)
        stage.child.kill()
    assert not stage.child.is_ready


@pytest.mark.parametrize(("code", "text"), [(0, "exited with code 0"), (-signal.SIGTERM, "was ended by SIGTERM")])
def test_exit_text(code: int, text: str) -> None:
    assert exit_text(code) == text
