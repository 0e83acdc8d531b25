"""Ids by their beginning: alone, and as the commands take them."""

from __future__ import annotations

import pytest

from qmtl.cli.gateway.ids import digest_of, the_one
from qmtl.core.errors import Conflict
from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_the_only_id_that_begins_so() -> None:
    assert the_one("s-1", ["s-12", "s-2"]) == "s-12"
    assert the_one("s-1", ["s-1", "s-12"]) == "s-1"
    assert the_one("s-9", ["s-12", "s-2"]) == "s-9"
    with pytest.raises(Conflict, match=r"begins 7 ids: s-0, s-1, s-2, s-3, s-4, \.\.\."):
        the_one("s-", [f"s-{number}" for number in range(7)])


@pytest.mark.parametrize(
    ("text", "digest"), [("0f", "blake3:0f"), ("blake3:0f", "blake3:0f"), ("BTC-USD", ""), ("ab" * 33, "")]
)
def test_digests_with_and_without_their_algorithm(text: str, digest: str) -> None:
    assert digest_of(text) == digest


def test_commands_take_the_beginning_of_an_id(cli_mesh: CliMesh) -> None:
    short = cli_mesh.cross[:8]
    assert cli_mesh.json("strategy", "show", short)["strategy_id"] == cli_mesh.cross
    assert cli_mesh.cross in cli_mesh.ask("graph", "show", short)
    queues = cli_mesh.json("queues", "list", "--strategy", short, "--domain", "backtest")
    assert len(queues) == 6
    key, node = queues[0]["compute_key"], queues[0]["node_id"]
    assert cli_mesh.json("queues", "show", key.removeprefix("blake3:")[:12]) == queues[0]
    assert cli_mesh.json("graph", "node", node[:20])["node"]["node_id"] == node
    (version,) = cli_mesh.json("sentinel", "list", short)
    assert cli_mesh.json("sentinel", "set", f"{short}@1", "1")["sentinel_id"] == version["sentinel_id"]
    order = cli_mesh.json("orders", "list", "--world", WORLD, "--limit", "1")[0]["order"]["client_order_id"]
    shown = cli_mesh.json("orders", "show", order, "--account", cli_mesh.account)
    assert shown["order"]["client_order_id"] == order


def test_a_beginning_of_several_ids_is_refused_with_them(cli_mesh: CliMesh) -> None:
    refusal = cli_mesh.refused("strategy", "show", "s-")
    assert "E_ID_AMBIGUOUS" in refusal
    assert cli_mesh.cross in refusal
