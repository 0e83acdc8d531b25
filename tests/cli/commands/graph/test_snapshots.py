"""`qmtl graph snapshot`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CliMesh

pytestmark = pytest.mark.timeout(180)


def test_snapshot_is_written_and_found_sound(cli_mesh: CliMesh, tmp_path: Path) -> None:
    written = cli_mesh.json("graph", "snapshot", "export", "test/graph.snapshot")
    assert written["content_hash"] in cli_mesh.ask("graph", "snapshot", "verify", "test/graph.snapshot")
    assert cli_mesh.json("graph", "snapshot", "verify", "test/graph.snapshot")["current"] is True
    cli_mesh.refused("graph", "snapshot", "verify", "test/none")
    assert "E_URL" in cli_mesh.refused("graph", "snapshot", "export", tmp_path / "elsewhere")
