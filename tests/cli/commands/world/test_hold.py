"""`qmtl world freeze|drain`: each step is told, and resume leads out."""

from __future__ import annotations

import pytest

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
