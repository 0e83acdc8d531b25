"""`qmtl submit` of a file without a strategy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_a_file_that_is_no_strategy_is_refused_in_one_line(cli_mesh: CliMesh, tmp_path: Path) -> None:
    broken = tmp_path / "broken_strategy.py"
    broken.write_text("import nothing_of_that_name\n", encoding="utf-8")
    refusal = cli_mesh.refused("submit", broken, "--world", WORLD)
    assert refusal.startswith(f"error: E_STRATEGY_FILE: {broken}:1: ModuleNotFoundError")
    assert len(refusal.splitlines()) == 1
    assert "E_WORLD_UNKNOWN" in cli_mesh.refused("submit", ROOT / "examples" / "ema_cross.py", "--world", "nowhere")
