"""`qmtl campaign report` on a mesh: a paper session against the replay of its own recording."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from examples.ema_cross import EmaCross
from qmtl.cli.main import app
from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.session.terms import SessionTerms
from tests.cli.conftest import CUT, PRESET, ROOT, CliMesh, Done

pytestmark = pytest.mark.timeout(180)
CODE = ROOT / "examples" / "ema_cross.py"
WORLD = "compared"
POLICY = """
data_currency: {{max_lag: 1d, min_history: 30d}}
selection: {{gates: {{and: ["n_trades >= 1"]}}, score: "sharpe"}}
gating_policy: {{execution_model: {{taker_fee_bps: 10, slippage_bps: {slippage}, participation: 0.1}}}}
campaign: {{divergence: {{min_pairs: 4, slippage_max_bps: {limit}}}}}
"""


def put_policy(mesh: CliMesh, folder: Path, slippage: int, limit: int) -> None:
    (folder / "policy.yaml").write_text(POLICY.format(slippage=slippage, limit=limit), encoding="utf-8")
    mesh.ask("world", "policy", "set", WORLD, folder / "policy.yaml", "--as", "owner")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--live"], "options is --live, want --code"),
        (["--session", "s1", "--account", "a1"], "--session --account"),
        (["--days", "0", "--until", "2024-05-06T00:00:00Z"], "--days --until"),
        (["--since", "2024-05-06T00:00:00Z", "--capital", "1"], "--capital --since"),
    ],
)
def test_what_a_stored_report_is_of_cannot_be_chosen(options: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["campaign", "report", WORLD, "s-1", *options])
    assert isinstance(done.exception, InvalidRequest)
    assert told in str(done.exception)


def test_twenty_basis_points_that_the_model_does_not_have_are_found_as_execution(
    cli_mesh: CliMesh, tmp_path: Path
) -> None:
    cli_mesh.ask("world", "create", WORLD, "--preset", PRESET)
    put_policy(cli_mesh, tmp_path, 20, limit=100)
    name = cli_mesh.json("submit", CODE, "--world", WORLD, "--end", CUT.isoformat())["strategy_id"]
    cli_mesh.ask("world", "activate", WORLD, name, "--stage", "paper")
    gateway = Gateway(address=cli_mesh.mesh.address("gateway"), home=cli_mesh.mesh.home)
    paper = Runner.run(EmaCross(), world=WORLD, gateway=gateway, terms=SessionTerms(bars_per_second=1000.0))
    assert len(paper.replay.fills) >= 4
    assert "E_DIVERGENCE_UNKNOWN" in cli_mesh.refused("campaign", "report", WORLD, name)

    same = report(cli_mesh, name, "--code", CODE)
    assert same.stdout.startswith(f"PASS: paper of {name} in {WORLD}, 2021-12-25T13:30:00Z to 2021-12-29T13:30:00Z")
    assert "+0.00 bp over 5 days" in same.stdout  # nothing but the model's own slippage

    put_policy(cli_mesh, tmp_path, 0, limit=12)  # the account keeps its 20 bp, what is replayed has none
    picture = tmp_path / "gap.png"
    session = paper.session.session_id
    worse = report(cli_mesh, name, "--code", CODE, "--session", session, "--plot", picture, "--json", code=1)
    told = json.loads(worse.stdout)
    assert told["verdict"] == "DIVERGENCE_VERDICT_FAIL"
    assert told["reasons"][0].startswith("slippage in bps is 13.35, want at most 12")
    figures, terms = told["figures"], {term: Decimal(amount) for term, amount in told["terms"].items()}
    assert figures["live_slippage_bps"] - figures["replay_slippage_bps"] == pytest.approx(20.0, abs=1.0)
    traded = sum(abs(fill.quantity) * fill.price for fill in paper.replay.fills)
    assert (terms["execution"] + terms["arrival"]) / traded * 10_000 == pytest.approx(Decimal(-20), abs=Decimal(1))
    gap = terms.pop("live_pnl") - terms.pop("replay_pnl")
    assert sum(terms.values()) == gap
    assert picture.read_bytes().startswith(b"\x89PNG")
    stored = report(cli_mesh, name, "--json", code=1)
    assert json.loads(stored.stdout) == told
    page = tmp_path / "dossier.html"
    done = cli_mesh.invoke("campaign", "dossier", WORLD, name, "--out", page, "--verify", "--home", cli_mesh.mesh.home)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "4 computed again, 0 differ" in done.stdout
    at = done.stdout.partition("\nas of ")[2].partition(",")[0]
    page.write_text(page.read_text(encoding="utf-8").replace("PASS", "FAIL", 1), encoding="utf-8")
    again = ("campaign", "dossier", WORLD, name, "--at", at, "--out", page, "--verify", "--home", cli_mesh.mesh.home)
    assert "DIFFERS" in cli_mesh.invoke(*again).stdout
    wrong = ROOT / "examples" / "ema_trend.py"
    assert "whose graph is" in cli_mesh.refused("campaign", "report", WORLD, name, "--code", wrong)


def report(mesh: CliMesh, name: str, *args: str | Path, code: int = 0) -> Done:
    done = mesh.invoke("campaign", "report", WORLD, name, *args, "--home", mesh.mesh.home)
    assert done.returncode == code, done.stderr
    return done
