"""`qmtl world freeze|drain`: each step is told, and resume leads out."""

from __future__ import annotations

import pytest

from qmtl.cli.commands.world.hold import until_proved
from qmtl.core.errors import Exhausted, QmtlError, Unavailable
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(240)


def test_a_world_is_frozen_and_drained_by_hand_and_resumed(cli_mesh: CliMesh) -> None:
    done = cli_mesh.invoke("world", "freeze", WORLD, "-m", "drill", "--request", "f1", "--home", cli_mesh.mesh.home)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["sent", "written"]
    assert f"committed {WORLD} is frozen at brokerage" in done.stdout
    assert "on the wire: nothing" in done.stdout
    again = cli_mesh.json("world", "freeze", WORLD, "--request", "f1")
    assert (again["run"]["run_id"], again["run"]["state"]) == ("freeze:f1", "APPLY_STATE_FROZEN")
    assert "E_WORLD_FROZEN" in cli_mesh.refused("world", "activate", WORLD, cli_mesh.cross)
    assert "COMPLETED" in cli_mesh.ask("world", "resume", WORLD, "freeze:f1")
    assert f"{WORLD} is drained at brokerage" in cli_mesh.ask("world", "drain", WORLD, "--request", "d1")
    assert "E_WORLD_DRAINED" in cli_mesh.refused("world", "activate", WORLD, cli_mesh.cross)
    assert "COMPLETED" in cli_mesh.ask("world", "resume", WORLD, "drain:d1")
    assert (
        "E_WORLD_UNKNOWN"
        in cli_mesh.invoke("world", "freeze", "nowhere", "--within", "1", "--home", cli_mesh.mesh.home).stderr
    )


async def test_what_still_protects_is_told_while_a_freeze_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    pending, committed = (applyservicepb.FreezeWorldResponse(fence_pending=pending) for pending in (True, False))
    answers: list[QmtlError | applyservicepb.FreezeWorldResponse] = [
        Unavailable("E_HOLD_UNWRITTEN", "disk full", hint="gates shut within 6 s"),
        Unavailable("E_UNAVAILABLE", "gone"),
        Exhausted("E_DATABASE_BUSY", "10000 writes are waiting already"),
        pending,
        Unavailable("E_UNAVAILABLE", "gone"),
        committed,
    ]

    async def send() -> applyservicepb.FreezeWorldResponse:
        answer = answers.pop(0)
        if isinstance(answer, QmtlError):
            raise answer
        return answer

    assert await until_proved(send, "freeze", 60.0) == committed
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 1)[0] for line in told] == ["sent", "no", "no", "no", "written", "no"]
    assert told[1] == "no answer E_HOLD_UNWRITTEN: disk full; gates shut within 6 s"
    assert told[2].endswith("gates that renew there shut the world within 6 s to all that adds risk")
    assert told[5].endswith("it is written: gates hold it, and brokerage is told until it has it")
