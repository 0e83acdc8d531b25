"""`qmtl data`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import PRESET, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_data(cli_mesh: CliMesh) -> None:
    ready = next(one for one in cli_mesh.json("data", "list") if one["symbol"] == "BTC-USD")
    assert ready["state"] == "DATASET_STATE_READY"
    assert ready["dataset"] in cli_mesh.ask("data", "list")
    assert PRESET in cli_mesh.ask("data", "presets")
    whole = cli_mesh.json("data", "coverage", PRESET)
    day = cli_mesh.json("data", "coverage", PRESET, "--start", "2021-12-20", "--end", "2021-12-21")
    assert len(whole["gaps"]) > len(day["gaps"]) == 0
    assert "gaps: 9" in cli_mesh.ask("data", "coverage", PRESET)
    assert "2021-11  ███████████████▓███████▓██░·░█" in cli_mesh.ask("data", "coverage", PRESET, "--map")
    assert "rows in" in cli_mesh.ask("data", "conformance", PRESET)
    assert "E_DATASET_UNKNOWN" in cli_mesh.refused("data", "conformance", "nothing")
    assert "E_TIME" in cli_mesh.refused("data", "coverage", PRESET, "--start", "yesterday")


def test_artifacts_are_listed_and_verified(cli_mesh: CliMesh) -> None:
    [whole, *_] = [one for one in cli_mesh.json("data", "artifacts", PRESET) if one["rows"] == "8684"]
    assert whole["dataset_fingerprint"] in cli_mesh.ask("data", "artifacts", PRESET)
    assert "all is well" in cli_mesh.ask("data", "verify", PRESET)
