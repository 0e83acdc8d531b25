"""`qmtl campaign ...` on a mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)
POLICY = Path(__file__).parents[4] / "examples" / "policies" / "campaign.yaml"


def test_a_promotion_from_its_request_to_what_bars_it(cli_mesh: CliMesh, tmp_path: Path) -> None:
    assert "E_NO_CAMPAIGN" in cli_mesh.refused("campaign", "status", WORLD)
    cli_mesh.ask("world", "create", "camp")
    cli_mesh.ask("world", "policy", "set", "camp", str(POLICY), "--as", "owner")
    cli_mesh.ask("world", "bind", "camp", cli_mesh.cross)
    assert "BACKTEST" in cli_mesh.ask("campaign", "status", "camp")
    told = cli_mesh.ask("campaign", "status", "camp", cli_mesh.cross)
    assert "MISSING_BACKTEST_RUN: has no replayed backtest of its version here" in told
    assert "EVALUATE" in cli_mesh.ask("campaign", "tick", "camp")
    asked = cli_mesh.json("campaign", "request", "camp", cli_mesh.cross, "--run", "p1")
    assert asked["state"] == "PROMOTION_STATE_REQUESTED"
    assert "E_PROMOTION_BLOCKED" in cli_mesh.refused("campaign", "promote", "camp", cli_mesh.cross, "--allow-live")
    file = tmp_path / "trials.csv"
    returns = np.random.default_rng(3).normal(0.0, 0.01, (170, 12))
    file.write_text("\n".join([",".join(f"v{i}" for i in range(12)), *(",".join(map(str, row)) for row in returns)]))
    assert cli_mesh.json("campaign", "trials", "camp", cli_mesh.cross, str(file))["variant_count"] == 12
    ended = cli_mesh.json("campaign", "withdraw", "camp", cli_mesh.cross)
    assert ended["state"] == "PROMOTION_STATE_WITHDRAWN"
