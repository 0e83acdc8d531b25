"""`qmtl world rebuild`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_the_audit_log_rebuilds_the_activation(cli_mesh: CliMesh) -> None:
    for weight in ("0.5", "1"):
        cli_mesh.ask("world", "activate", WORLD, cli_mesh.cross, "--weight", weight)
    rebuilt = cli_mesh.json("world", "rebuild", WORLD)
    assert rebuilt["same_as_stored"]
    assert rebuilt["activation"]["entries"]
    assert "the same as what is stored" in cli_mesh.ask("world", "rebuild", WORLD, "--as", "reader")
    assert "as it was then" in cli_mesh.ask("world", "rebuild", WORLD, "--revision", "1")
