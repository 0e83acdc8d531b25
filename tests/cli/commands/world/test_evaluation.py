"""`qmtl world explain|evaluate|verify-run`: verdicts with their numbers."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.cli.conftest import CUT, PRESET, ROOT, WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


STRICT = 'data_currency: {max_lag: 1d}\nselection: {gates: {and: ["n_trades >= 100000"]}}\n'


def test_explain_tells_who_is_in_who_is_out_and_why(cli_mesh: CliMesh) -> None:
    document = cli_mesh.json("world", "explain", WORLD)
    chosen = {one["strategy_id"]: one for one in document["strategies"]}
    assert (chosen[cli_mesh.cross]["selected"], chosen[cli_mesh.trend]["selected"]) == (True, False)
    text = cli_mesh.ask("world", "explain", WORLD, "--as", "reader")
    inside, outside = text.split("\n\n")[1:]
    assert inside.startswith(f"IN   ema-cross ({cli_mesh.cross}): ")
    assert "n_trades >= 1 " in inside
    assert "long trades in PAPER at weight 1" in inside
    assert outside.startswith(f"OUT  ema-trend ({cli_mesh.trend}): top total 1: all slots are taken by better ranks")
    assert "[NOT_IN_TOP_K]" in outside
    assert f"qmtl world activate {WORLD} {cli_mesh.trend} --stage paper" in outside
    assert "live trading is not allowed in this world [LIVE_NOT_ALLOWED]" in text


def test_a_failed_gate_is_explained_with_its_number(cli_mesh: CliMesh, tmp_path: Path) -> None:
    world = f"w-{uuid.uuid4().hex[:8]}"
    (tmp_path / "strict.yaml").write_text(STRICT, encoding="utf-8")
    cli_mesh.ask("world", "create", world, "--preset", PRESET, "--policy", tmp_path / "strict.yaml")
    cli_mesh.ask("submit", ROOT / "examples" / "ema_cross.py", "--world", world, "--end", CUT.isoformat())
    text = cli_mesh.ask("world", "explain", world)
    assert f"world {world} only computes" in text
    assert "n_trades >= 100000: does not hold: n_trades = " in text
    assert "the policy selects none of its strategies [NOTHING_SELECTED]" in text


def test_a_run_is_computed_anew_from_bars_and_orders(cli_mesh: CliMesh) -> None:
    text = cli_mesh.ask("world", "verify-run", WORLD, cli_mesh.cross)
    assert f"orders    books of {cli_mesh.account}" in text  # its newest run is of paper
    assert "equal to the last digit" in text
    assert "orders    blake3:" in cli_mesh.ask("world", "verify-run", WORLD, cli_mesh.trend)
    reply = cli_mesh.json("world", "verify-run", WORLD, cli_mesh.trend)
    assert reply["metrics"] == reply["run"]["metrics"]
    assert not reply.get("differences")
    assert "E_RUN_UNKNOWN" in cli_mesh.refused("world", "verify-run", WORLD, cli_mesh.trend, "--run", "none")


def test_evaluate_again_with_the_latest_numbers(cli_mesh: CliMesh) -> None:
    reply = cli_mesh.json("world", "evaluate", WORLD, cli_mesh.trend)
    assert reply["run"]["report"]["summary"] == "EVALUATION_SUMMARY_FAIL"
    assert "top total 1" in cli_mesh.ask("world", "evaluate", WORLD, cli_mesh.trend)
    assert "E_METRIC_OPTION" in cli_mesh.refused("world", "evaluate", WORLD, cli_mesh.trend, "--metric", "sharpe=x")
