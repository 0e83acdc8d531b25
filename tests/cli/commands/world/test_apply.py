"""`qmtl world apply|approve-live`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, Estate

pytestmark = pytest.mark.timeout(180)


def test_apply_in_two_phases_and_approval_to_go_live(estate: Estate) -> None:
    run = estate.json("world", "apply", WORLD, "--target", f"{estate.cross}:long=0.5@paper", "--run", "half")
    assert run["state"] == "APPLY_STATE_COMPLETED"
    assert "long trades in PAPER at weight 0.5" in estate.ask("world", "explain", WORLD)
    text = estate.ask("world", "apply", WORLD, "--target", f"{estate.cross}:long=1@paper")
    assert "COMPLETED" in text
    assert "E_APPLY_OPTIONS" in estate.refused("world", "apply", WORLD)
    assert "E_TARGET_OPTION" in estate.refused("world", "apply", WORLD, "--target", "x:both=1")
    assert "E_RUN_UNKNOWN" in estate.refused("world", "resume", WORLD, "nothing")
    approve = ("world", "approve-live", WORLD, estate.cross, "--as", "owner")
    assert "add --allow-live" in estate.refused(*approve)
    approved = estate.json(*approve, "--allow-live", "--for", "2d", "--reason", "test")
    assert (approved["approved_by"], approved["message"]) == ("dev-owner", "test")
    assert "E_LIFE" in estate.refused(*approve, "--for", "ever")
    assert estate.json("world", "revoke-live", WORLD, estate.cross)["revoked_at"]
