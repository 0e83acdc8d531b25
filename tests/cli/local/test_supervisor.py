"""The supervisor with real processes: nats-server and the services."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from qmtl.cli.local.layout import Plan, free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.config.home import alive, live_record, log_path, read_record, record_path, user_token_path
from qmtl.core.errors import Conflict, Unavailable
from qmtl.core.roles import Role

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
