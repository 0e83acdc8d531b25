"""`qmtl data`."""

from __future__ import annotations

from pathlib import Path

import polars as pl
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
    assert "schema ohlcv 1.0" in cli_mesh.ask("data", "conformance", PRESET)
    assert "no table of memberships: all are members at all times" in cli_mesh.ask("data", "members", "demo.stocks")
    assert "E_DATASET_UNKNOWN" in cli_mesh.refused("data", "conformance", "nothing")
    assert "E_TIME" in cli_mesh.refused("data", "coverage", PRESET, "--start", "yesterday")


@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv"])
def test_bars_are_fetched_into_a_file_with_the_truth_about_them(cli_mesh: CliMesh, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    told = cli_mesh.ask("data", "fetch", PRESET, "--from", "2021-10-01", "--to", "2021-10-02", "--out", out)
    assert "96 bars, 100.00% of those expected from 2021-10-01T00:00:00Z to 2021-10-02T00:00:00Z" in told
    assert "service level tolerant-partial: MET; STORAGE" in told
    assert "from ARTIFACT 96" in told
    rows = pl.read_parquet(out) if name.endswith("parquet") else pl.read_csv(out, try_parse_dates=True)
    assert (len(rows), str(rows["open_time"][0])[:19]) == (96, "2021-10-01 00:00:00")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_whole_dataset_is_fetched_and_what_cannot_be_is_refused(cli_mesh: CliMesh, tmp_path: Path) -> None:
    whole = cli_mesh.ask("data", "fetch", PRESET)
    assert "8684 bars, 97.28% of those expected" in whole
    assert "gaps: 9" in whole
    assert cli_mesh.json("data", "fetch", PRESET)["artifact_fingerprint"].startswith("sha256:")
    assert "E_COVERAGE_SHORT" in cli_mesh.refused("data", "fetch", PRESET, "--mode", "fail-fast")
    assert "E_DATASET_UNAVAILABLE" in cli_mesh.refused(
        "data", "fetch", PRESET, "--from", "2021-01-01", "--mode", "auto-backfill"
    )
    assert "E_FIELD" in cli_mesh.refused("data", "fetch", PRESET, "--out", tmp_path / "bars.txt")
    assert "E_FIELD" in cli_mesh.refused("data", "fetch", PRESET, "--out", tmp_path / "none" / "bars.csv")


def test_a_conformance_report_is_written_as_a_page(cli_mesh: CliMesh, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert f"written to {out}" in cli_mesh.ask("data", "conformance", PRESET, "--html", out).replace("\n", "")
    text = out.read_text()
    assert '<td class="missing" title="2021-11-28: missing">' in text
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert "E_FIELD" in cli_mesh.refused("data", "conformance", PRESET, "--html", tmp_path / "none" / "r.html")
    assert "E_FIELD" in cli_mesh.refused("data", "conformance", PRESET, "--html", out / "r.html")
    assert "E_FIELD" in cli_mesh.refused("data", "conformance", PRESET, "--html", ".")


def test_schemas_are_registered_promoted_and_told(cli_mesh: CliMesh) -> None:
    made = cli_mesh.ask("data", "schemas", "register", "momentum", "value:float64", "note:text?")
    assert made.strip() == "momentum 1.0 (momentum/1): REGISTERED; value:float64 note:text?"
    promoted = cli_mesh.ask("data", "schemas", "promote", "momentum", "1.0", "canary", "--cause", "first look")
    assert "momentum 1.0 (momentum/1): CANARY" in promoted
    [ohlcv] = [one for one in cli_mesh.json("data", "schemas", "list") if one["name"] == "ohlcv"]
    assert ohlcv["stage"] == "SCHEMA_STAGE_STRICT"
    assert "first look" in cli_mesh.ask("data", "schemas", "history", "momentum")
    assert "E_SCHEMA_UNKNOWN" in cli_mesh.refused("data", "schemas", "promote", "momentum", "3.0", "strict")
    assert "E_FIELD" in cli_mesh.refused("data", "schemas", "register", "momentum", "value:number")


def test_what_a_session_delivered_is_sealed_and_given_again(cli_mesh: CliMesh) -> None:
    [session] = {feed["data_session_id"] for feed in cli_mesh.json("accounts", "show", cli_mesh.account)["feeds"]}
    assert cli_mesh.ask("data", "recordings", session).strip() == f"recordings of {session}: none"
    [sealed] = cli_mesh.json("data", "recordings", session, "--seal")
    assert sealed["preset"] == PRESET
    assert sealed["dataset_fingerprint"] in cli_mesh.ask("data", "artifacts", PRESET)
    assert "E_DATA_SESSION_UNKNOWN" in cli_mesh.refused("data", "recordings", "nobody's", "--seal")


def test_artifacts_are_listed_and_verified(cli_mesh: CliMesh) -> None:
    [whole, *_] = [one for one in cli_mesh.json("data", "artifacts", PRESET) if one["rows"] == "8684"]
    assert whole["dataset_fingerprint"] in cli_mesh.ask("data", "artifacts", PRESET)
    assert "all is well" in cli_mesh.ask("data", "verify", PRESET)
