"""`qmtl world apply|approve-live`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_apply_in_two_phases_and_approval_to_go_live(cli_mesh: CliMesh) -> None:
    run = cli_mesh.json("world", "apply", WORLD, "--target", f"{cli_mesh.cross}:long=0.5@paper", "--run", "half")
    assert run["state"] == "APPLY_STATE_COMPLETED"
    assert "long trades in PAPER at weight 0.5" in cli_mesh.ask("world", "explain", WORLD)
    text = cli_mesh.ask("world", "apply", WORLD, "--target", f"{cli_mesh.cross}:long=1@paper")
    assert "COMPLETED" in text
    assert "E_APPLY_OPTIONS" in cli_mesh.refused("world", "apply", WORLD)
    assert "E_TARGET_OPTION" in cli_mesh.refused("world", "apply", WORLD, "--target", "x:both=1")
    assert "E_RUN_UNKNOWN" in cli_mesh.refused("world", "resume", WORLD, "nothing")
    approve = ("world", "approve-live", WORLD, cli_mesh.cross, "--as", "owner")
    assert "add --allow-live" in cli_mesh.refused(*approve)
    approved = cli_mesh.json(*approve, "--allow-live", "--for", "2d", "--reason", "test")
    assert (approved["approved_by"], approved["message"]) == ("dev-owner", "test")
    assert "E_LIFE" in cli_mesh.refused(*approve, "--for", "ever")
    assert cli_mesh.json("world", "revoke-live", WORLD, cli_mesh.cross)["revoked_at"]
