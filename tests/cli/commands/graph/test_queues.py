"""`qmtl queues`: lists and statistics."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, CliMesh, Invoke

pytestmark = pytest.mark.timeout(180)


def test_queues_by_world_domain_and_strategy(cli_mesh: CliMesh) -> None:
    backtest = cli_mesh.json("queues", "list", "--world", WORLD, "--domain", "backtest")
    assert len(backtest) == 10  # twelve nodes, two of them shared
    mine = cli_mesh.json("queues", "list", "--strategy", cli_mesh.cross, "--domain", "backtest")
    assert len(mine) == 6
    assert len(cli_mesh.json("queues", "list", "--world", WORLD, "--limit", "3")) == 3
    table = cli_mesh.ask("queues", "list", "--world", WORLD)
    assert f"{WORLD}.backtest.BTC-USD_StreamInput" in table
    key = mine[0]["compute_key"]
    assert cli_mesh.json("queues", "show", key.removeprefix("blake3:")) == mine[0]
    assert mine[0]["topic"] in cli_mesh.ask("queues", "show", key)


def test_queue_statistics(cli_mesh: CliMesh) -> None:
    stats = cli_mesh.json("queues", "stats", "--world", WORLD, "--domain", "backtest")
    assert len(stats) == 10
    one = cli_mesh.json("queues", "stats", stats[0]["compute_key"])
    assert [entry["compute_key"] for entry in one] == [stats[0]["compute_key"]]
    assert f"{WORLD}.backtest." in cli_mesh.ask("queues", "stats", "--world", WORLD)


@pytest.mark.parametrize(
    "options", [("--last", "--from-sequence", "3"), ("--last", "--from", "2021-03-01T12:00Z"),
                ("--from", "2021-03-01T12:00Z", "--from-sequence", "1")]
)  # fmt: skip
def test_a_read_begins_at_one_place(invoke: Invoke, options: tuple[str, ...]) -> None:
    done = invoke("queue", "read", "blake3:00", "--world", "w", *options)
    assert (done.returncode, "E_POSITION_OPTIONS" in done.stderr) == (1, True)
