"""`qmtl world policy`."""

from __future__ import annotations

import uuid

import pytest

from tests.cli.conftest import PRESET, Estate

pytestmark = pytest.mark.timeout(180)


def test_policy_from_a_preset(estate: Estate) -> None:
    world = f"w-{uuid.uuid4().hex[:8]}"
    estate.ask("world", "create", world, "--preset", PRESET)
    assert "there is no policy: qmtl world policy set [NO_POLICY]" in estate.ask("world", "explain", world)
    assert estate.json("world", "policy", "set", world, "--preset", "sandbox")["version"] == 1
    refused = estate.refused("world", "policy", "set", world, "--preset", "none")
    assert "E_POLICY_PRESET_UNKNOWN" in refused
    assert "sandbox" in refused
    assert "# conservative" in estate.ask("world", "policy", "presets")
    assert "E_POLICY_OPTIONS" in estate.refused("world", "policy", "set", world)
