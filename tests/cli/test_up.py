"""The supervisor with real processes: nats-server and the services."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qmtl.cli.plan import Plan, free_plan
from qmtl.cli.up import Mesh, stop_processes
from qmtl.core.errors import Conflict, Unavailable
from qmtl.core.home import Record, alive, gateway_address, live_record, log_path, read_record, record_path
from qmtl.rpc.auth import Role
from qmtl.rpc.tokens import user_token_path
from tests.cli.conftest import ROOT, Done, Invoke, Run, environment

START_S = 60.0  # a busy machine; the measured time is in docs


def plan(home: Path, *services: str) -> Plan:
    """The broker and some of the services, on free ports."""
    whole = free_plan(home)
    return Plan(home, whole.nats_url, True, tuple(place for place in whole.places if place.service in services))


async def test_crashed_service_is_restarted_and_reported(home: Path) -> None:
    lines: list[str] = []
    async with Mesh(plan(home, "dagmanager"), report=lines.append, start_timeout_s=START_S) as mesh:
        pid = mesh.kill("dagmanager")
        again = await mesh.ready("dagmanager", other_than=pid)
        assert again.restarts == 1
        record = live_record(home)
        assert record is not None
        assert again in record.processes
        assert record.ready
    assert any(line.startswith("dagmanager was ended by SIGKILL; restart 1") for line in lines)
    assert [line.split()[0] for line in lines if "ready in" in line].count("dagmanager") == 2


async def test_killed_broker_comes_back(home: Path) -> None:
    async with Mesh(plan(home), start_timeout_s=START_S) as mesh:
        assert mesh.nats_url.endswith(mesh.address("nats-server"))
        await mesh.ready("nats-server", other_than=mesh.kill("nats-server"))


async def test_stop_leaves_no_process_and_no_record(home: Path) -> None:
    async with Mesh(plan(home, "dagmanager"), start_timeout_s=START_S) as mesh:
        processes = mesh.running()
        assert sorted(process.name for process in processes) == ["dagmanager", "nats-server"]
        assert alive(processes) == processes
        assert log_path(home, "dagmanager").stat().st_size > 0
        assert user_token_path(home, Role.OPERATOR).stat().st_mode & 0o077 == 0
    assert alive(processes) == []
    assert not record_path(home).exists()


async def test_second_mesh_in_the_same_home_is_refused(home: Path) -> None:
    async with Mesh(plan(home), start_timeout_s=START_S) as first:
        with pytest.raises(Conflict) as caught:
            await Mesh(plan(home)).start()
        assert caught.value.reason == "E_HOME_IN_USE"
        assert str(home) in caught.value.message
        assert alive(first.running()) == first.running()
        assert live_record(home) is not None


async def test_taken_port_is_refused_and_nothing_is_left(home: Path) -> None:
    chosen = plan(home)
    host, port = chosen.nats_url.removeprefix("nats://").split(":")
    with socket.create_server((host, int(port))), pytest.raises(Conflict) as caught:
        await Mesh(chosen).start()
    assert caught.value.reason == "E_PORT_IN_USE"
    assert "nats-server" in caught.value.message
    async with Mesh(plan(home), start_timeout_s=START_S):
        pass


async def test_service_that_cannot_start_is_named_and_the_rest_is_stopped(home: Path) -> None:
    broken = plan(home, "dagmanager")
    environ = {"QMTL__DAGMANAGER__DATABASE_URL": "sqlite:////dev/null/never.db"}
    mesh = Mesh(Plan(home, broken.nats_url, True, broken.places, environ=environ), start_timeout_s=START_S)
    with pytest.raises(Unavailable) as caught:
        await mesh.start()
    assert "dagmanager exited with code" in caught.value.message
    assert live_record(home) is None
    left = read_record(home)
    assert left is None or alive(left.processes) == []


def test_without_an_event_loop(home: Path) -> None:
    with Mesh(plan(home), start_timeout_s=START_S) as mesh:
        before = mesh.kill("nats-server")
        assert mesh.wait_ready("nats-server", other_than=before).pid != before
        processes = mesh.running()
        assert alive(processes) == processes
    assert alive(processes) == []


@contextmanager
def supervisor(home: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`qmtl up` as a person starts it."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "qmtl.cli", "up", "--home", str(home), "--free-ports"]
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        left = read_record(home)
        stop_processes(alive(left.processes) if left else [])


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """What a command prints up to the line that has `text`; the test's own timeout bounds it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if text in line:
            return lines
    raise AssertionError("\n".join(lines))


def test_whole_mesh_as_a_person_uses_it(home: Path, tmp_path: Path, qmtl: Run, invoke: Invoke) -> None:
    with supervisor(home, tmp_path / "a") as process:
        lines = lines_until(process, "mesh ready in")
        names = [line.split()[0] for line in lines[:-1]]
        services = ["brokerage", "controlbus", "dagmanager", "gateway", "nats-server", "seamless", "worldservice"]
        assert sorted(names) == services
        assert gateway_address(home) in lines[-1]
        processes = record_of(home).processes
        check_commands(home, invoke)
        check_a_strategy(home, invoke, tmp_path)
        assert qmtl("down", "--home", home).stdout == f"stopped the mesh in {home}\n"
        assert process.wait(timeout=30) == 0
    assert alive(processes) == []
    assert qmtl("down", "--home", home).stdout == f"no mesh runs in {home}\n"
    after = qmtl("status", "--home", home)
    assert after.returncode == 1
    assert "E_NOT_RUNNING" in after.stderr


def check_commands(home: Path, qmtl: Invoke) -> None:
    """Every thin command once, against the running mesh."""
    status = json.loads(done(qmtl("status", "--home", home, "--json")))
    assert all(process["alive"] for process in status["processes"])
    assert len(status["processes"]) == 7
    assert status["gateway"]["level"] == "DEGRADATION_LEVEL_NORMAL"
    assert "gateway" in done(qmtl("status", "--home", home))
    refused = qmtl("up", "--home", home, "--free-ports")
    assert refused.returncode == 1
    assert "E_HOME_IN_USE" in refused.stderr
    created = json.loads(done(qmtl("world", "create", "w1", "--preset", "demo.btc.15m", "--home", home, "--json")))
    assert created["world_id"] == "w1"
    assert "w1" in done(qmtl("world", "list", "--home", home))
    assert json.loads(done(qmtl("world", "show", "w1", "--home", home, "--json")))["world"] == created
    assert "world w1" in done(qmtl("world", "show", "w1", "--home", home))
    decision = json.loads(done(qmtl("world", "decide", "w1", "--home", home, "--json")))
    assert decision["world_id"] == "w1"
    assert "effective mode" in done(qmtl("world", "decide", "w1", "--home", home))
    assert json.loads(done(qmtl("strategy", "list", "--home", home, "--json"))) == []
    unknown = qmtl("strategy", "show", "nobody", "--home", home)
    assert (unknown.returncode, "E_STRATEGY_UNKNOWN" in unknown.stderr) == (1, True)
    denied = qmtl("world", "create", "w2", "--home", home, "--as", "reader")
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "streams" in done(qmtl("bus", "lag", "--home", home))


POLICY = """\
data_currency: {max_lag: 1d, min_history: 1d}
selection:
  gates: {and: ["n_trades >= 1"]}
  score: "sharpe"
  topk: {total: 20}
"""


def check_a_strategy(home: Path, qmtl: Invoke, folder: Path) -> None:
    """From a world with a policy to a strategy that may trade on paper, by commands alone."""
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    create = ("world", "create", "demo", "--preset", "demo.btc.15m", "--policy", folder / "policy.yaml")
    assert json.loads(done(qmtl(*create, "--home", home, "--json")))["default_policy_version"] == 1
    assert POLICY.strip() in done(qmtl("world", "policy", "show", "demo", "--home", home))
    (folder / "policy.yaml").write_text("selection: 7\n", encoding="utf-8")
    malformed = qmtl("world", "policy", "set", "demo", folder / "policy.yaml", "--home", home)
    assert (malformed.returncode, "E_POLICY" in malformed.stderr) == (1, True)
    script = [sys.executable, str(ROOT / "examples" / "ema_cross.py")]
    environ = {**environment(), "QMTL__MESH__HOME": str(home)}
    subprocess.run(script, env=environ, cwd=folder, check=True, capture_output=True)
    (strategy,) = json.loads(done(qmtl("strategy", "list", "--world", "demo", "--home", home, "--json")))
    shown = done(qmtl("strategy", "show", strategy["strategy_id"], "--history", "--home", home))
    assert "PROCESSING" in shown
    assert "demo.backtest." in shown
    activate = ("world", "activate", "demo", strategy["strategy_id"], "--home", home)
    assert "COMPUTE_ONLY" in done(qmtl(*activate, "--weight", "0.5"))
    (entry,) = json.loads(done(qmtl(*activate, "--stage", "paper", "--json")))["entries"]
    assert (entry["weight"], entry["effective_mode"]) == (0.5, "EFFECTIVE_MODE_PAPER")
    (entry,) = json.loads(done(qmtl(*activate, "--orders", "reducing", "--json")))["entries"]
    assert (entry["drain"], entry["freeze"], entry["weight"]) == (True, False, 0.5)
    off = done(qmtl("world", "deactivate", *activate[2:], "--side", "long", "--json"))
    assert [entry["active"] for entry in json.loads(off)["entries"]] == [False]
    tail = done(qmtl("bus", "tail", "--all", "--count", "4", "--home", home, "--json"))
    events = [json.loads(line) for line in tail.splitlines()]
    assert [event["sequence"] for event in events] == ["1", "2", "3", "4"]
    canceled = json.loads(done(qmtl("strategy", "cancel", strategy["strategy_id"], "--home", home, "--json")))
    assert canceled["state"] == "STRATEGY_STATE_CANCELED"


def done(process: Done) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout


def record_of(home: Path) -> Record:
    record = live_record(home)
    assert record is not None
    return record


def test_leftovers_of_a_killed_supervisor_are_stopped_by_the_next(home: Path, tmp_path: Path) -> None:
    with supervisor(home, tmp_path / "a") as first:
        lines_until(first, "mesh ready in")
        orphans = record_of(home).processes
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert len(alive(orphans)) == 7
        assert live_record(home) is None
        with supervisor(home, tmp_path / "b") as second:
            lines = lines_until(second, "stopping what an earlier mesh left running")
            assert f"nats-server (pid {orphans[0].pid})" in lines[-1]
            lines_until(second, "mesh ready in")
            assert alive(orphans) == []
            second.send_signal(signal.SIGINT)
            assert lines_until(second, "stopped")[-1] == "stopped"
            assert second.wait(timeout=30) == 0
