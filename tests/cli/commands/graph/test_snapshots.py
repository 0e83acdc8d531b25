"""`qmtl graph snapshot`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Estate

pytestmark = pytest.mark.timeout(180)


def test_snapshot_is_written_and_found_sound(estate: Estate, tmp_path: Path) -> None:
    written = estate.json("graph", "snapshot", "export", "test/graph.snapshot")
    assert written["content_hash"] in estate.ask("graph", "snapshot", "verify", "test/graph.snapshot")
    assert estate.json("graph", "snapshot", "verify", "test/graph.snapshot")["current"] is True
    estate.refused("graph", "snapshot", "verify", "test/none")
    assert "E_URL" in estate.refused("graph", "snapshot", "export", tmp_path / "elsewhere")
