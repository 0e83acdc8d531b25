"""`qmtl world policy`."""

from __future__ import annotations

import uuid

import pytest

from tests.cli.conftest import PRESET, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_policy_from_a_preset(cli_mesh: CliMesh) -> None:
    world = f"w-{uuid.uuid4().hex[:8]}"
    cli_mesh.ask("world", "create", world, "--preset", PRESET)
    assert "there is no policy: qmtl world policy set [NO_POLICY]" in cli_mesh.ask("world", "explain", world)
    assert cli_mesh.json("world", "policy", "set", world, "--preset", "sandbox")["version"] == 1
    refused = cli_mesh.refused("world", "policy", "set", world, "--preset", "none")
    assert "E_POLICY_PRESET_UNKNOWN" in refused
    assert "sandbox" in refused
    assert "# conservative" in cli_mesh.ask("world", "policy", "presets")
    assert "E_POLICY_OPTIONS" in cli_mesh.refused("world", "policy", "set", world)
